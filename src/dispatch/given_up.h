#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "scoring/job.h"

namespace slipway::dispatch {

/// Runs that were given up: cancelled, or lost too often. What their attempts have left beside the target is deleted
/// once none of them can publish any more, and not before: a commit that arrives late would name files that are gone.
/// Each waits as a job file in `<data_dir>/clean-up/`, also across restarts, and is tidied up by a process of its own:
/// a table that hangs or is damaged keeps no dispatcher from its work.
class GivenUp {
 public:
  /// `seconds`: how long a commit of a run that is given up may take to arrive: its lease, and the time to publish.
  GivenUp(const std::string& data_dir, std::string program, std::vector<std::string> environment, double seconds);

  /// The run waits here from now on.
  static Result<> Add(const std::string& data_dir, const scoring::Job& job);

  /// Starts and watches the processes, one at a time; returns at once.
  Result<> Round();

 private:
  Result<> Watch();
  std::filesystem::path folder_;
  std::string program_;
  std::vector<std::string> environment_;
  double seconds_;
  double next_look_ = 0;
  std::map<std::filesystem::path, double> due_;  ///< job files, and from when on they may be tidied up
  int pid_ = 0;                                  ///< of the process at work, or 0
  std::filesystem::path file_;                   ///< what it works on
  double kill_at_ = 0;
};

}  // namespace slipway::dispatch
