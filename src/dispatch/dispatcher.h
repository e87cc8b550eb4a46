#pragma once

#include <memory>
#include <string>

#include "base/time.h"
#include "deployments/store.h"
#include "scoring/job.h"

namespace slipway::dispatch {

struct DispatchOptions {
  std::string program;   ///< the slipway binary that executes `score`
  std::string data_dir;  ///< `runs/<run id>/` below it holds job, events and lock of each run
  scoring::Places places;
  int processes = 1;  ///< runs at once
  int attempts = 3;   ///< of a run whose process was lost
};

/// The local dispatcher: starts a run for every tick of the cron clock and every queued run, each in a child process that
/// executes `slipway score --job`, and records what its events say. At start it takes up what an earlier server left: a run
/// whose process still lives is watched on, one whose process is gone is recorded, tried again, or failed.
class Dispatcher {
 public:
  Dispatcher(deployments::Store& store, const Clock& clock, DispatchOptions options);
  ~Dispatcher();  ///< stops watching; running processes go on and are found again

  void Start();
  /// Something was queued: look now.
  void Wake();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::dispatch
