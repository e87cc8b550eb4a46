#pragma once

#include <filesystem>
#include <ios>
#include <map>
#include <optional>
#include <string>

#include "deployments/records.h"
#include "dispatch/dispatcher.h"
#include "scoring/progress.h"

namespace slipway::dispatch {

/// How an attempt ended, or that the run waits again.
struct RunEnd {
  deployments::RunStatus status = deployments::RunStatus::kFailed;
  std::optional<std::string> error_message;
  std::optional<int64_t> rows, snapshot_id;
  std::optional<std::string> model_version;
  std::map<std::string, double> stage_seconds;
  bool counts = true;  ///< whether the attempt counts
};

/// One attempt of a run: the process that executes `slipway score --job`, and the files in `runs/<run id>/` that tell of it.
class RunProcess {
 public:
  RunProcess(deployments::Run run, const DispatchOptions& options) : run_(std::move(run)), options_(&options) {}

  const deployments::Run& run() const { return run_; }

  Result<> Start(const deployments::Deployment& deployment);
  /// Asks the process to end, and kills it some seconds later (in IsOver).
  void Cancel(const std::string& by);
  void Terminate();
  void Kill();
  /// Whether it has ended. A process of an earlier server is seen by its lock file.
  bool IsOver();
  void AwaitEnd();
  /// Reads what it has written since the last call; the rows scored so far where it told of them.
  std::optional<int64_t> ReadEvents();
  /// How it ended, by its last event, or by what the target says. `hand_over`: the server ends, not the run.
  Result<RunEnd> Outcome(bool hand_over);

 private:
  std::filesystem::path Folder() const;
  Result<scoring::Job> LoadJob() const;
  void Signal(int signal);
  deployments::Run run_;
  const DispatchOptions* options_;
  int pid_ = 0;  ///< 0: not our child
  bool reaped_ = false;
  std::streamoff read_ = 0;
  std::optional<scoring::Event> last_;
  std::map<std::string, double> stages_;
  std::optional<std::string> cancelled_by_;
  double kill_at_ = 0;
};

}  // namespace slipway::dispatch
