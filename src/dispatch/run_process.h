#pragma once

#include <filesystem>
#include <ios>
#include <map>
#include <optional>
#include <string>

#include "deployments/records.h"
#include "deployments/run_log.h"
#include "dispatch/local_dispatcher.h"
#include "scoring/events.h"

namespace slipway::dispatch {

/// How an attempt ended, or that the run waits again.
struct RunEnd {
  deployments::RunStatus status = deployments::RunStatus::kFailed;
  std::optional<std::string> error_message;
  std::optional<int64_t> rows, snapshot_id;
  std::optional<std::string> model_version;
  std::map<std::string, double> stage_seconds;
  bool counts = true;  ///< whether the attempt counts
  int64_t left_out = 0;
  int64_t again_after = 0;  ///< kQueued: the seconds before it is tried again
};

/// One attempt of a run: the process that executes `slipway score --job`, and the files in `runs/<run id>/` that tell
/// of it.
class RunProcess {
 public:
  /// kCorrupt: the record of the run or of its deployment is damaged.
  static Result<RunProcess> Of(deployments::Run run, const deployments::Deployment& deployment,
                               const LocalOptions& options);

  const deployments::Run& run() const { return run_; }

  /// `lease_until`: as of WriteLease, on a shared store.
  Result<> Start(double lease_until);
  /// The lease was renewed.
  void Extend(double lease_until);
  /// Asks the process to end, and kills it some seconds later (in IsOver).
  void Cancel(const std::string& by);
  void Terminate();
  void Kill();
  /// Whether it has ended. A process of an earlier server is seen by its lock file.
  bool IsOver();
  void AwaitEnd();
  /// Reads what it has written since the last call; the rows scored so far where it told of them.
  std::optional<int64_t> ReadEvents();
  /// The run's log, where it has grown since the last call; at most once a second, unless `now`.
  std::optional<deployments::RunLog> NewLog(bool now);
  /// How it ended, by its last event, or by what the target says. `hand_over`: the server ends, not the run.
  Result<RunEnd> Outcome(bool hand_over);

 private:
  RunProcess(deployments::Run run, scoring::Job job, const deployments::RetryPolicy& retry, const LocalOptions& options)
      : run_(std::move(run)), job_(std::move(job)), retry_(retry), options_(&options) {}
  std::filesystem::path Folder() const;
  void Signal(int signal);
  void HoldToItsTime();
  RunEnd TriedAgain(const std::string& why, bool counts) const;
  deployments::Run run_;
  scoring::Job job_;
  deployments::RetryPolicy retry_;
  const LocalOptions* options_;
  int pid_ = 0;  ///< 0: not our child
  bool reaped_ = false;
  std::streamoff read_ = 0;
  std::uintmax_t logged_ = 0;
  double look_at_log_ = 0;
  std::optional<scoring::Stages> stages_;
  std::optional<scoring::Committed> committed_;
  std::optional<scoring::Failed> failed_;
  std::optional<std::string> cancelled_by_;
  double kill_at_ = 0;
  double watched_since_ = MonotonicSeconds();  ///< of an earlier server's process: by this one
  bool overran_ = false;
};

}  // namespace slipway::dispatch
