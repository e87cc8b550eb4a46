#pragma once

#include <memory>
#include <string>
#include <vector>

#include "deployments/dispatcher.h"
#include "deployments/store.h"
#include "scoring/catalogs.h"
#include "scoring/job.h"

namespace date {
class time_zone;
}

namespace slipway::dispatch {

struct LocalOptions {
  std::string program;   ///< the slipway binary that executes `score`
  std::string data_dir;  ///< `runs/<run id>/` below it holds job, events and lock of each run
  scoring::Places places;
  const scoring::Catalogs* catalogs = nullptr;  ///< those of `places`, opened; they outlive the dispatcher
  int processes = 1;                            ///< runs at once
  scoring::RunLimits limits;                    ///< of a run; its deployment may name other seconds
  deployments::RetryPolicy retry;               ///< where a deployment says nothing
  int attempts = 3;                             ///< of a run whose process was lost
  bool shared = false;                          ///< other servers work on the same store
  int lease_seconds = 30;                       ///< after this long without a word, a server's runs are taken over
  bool every_missed_tick = false;               ///< else ticks missed while nothing ran make one run, for the latest
  const date::time_zone* zone = nullptr;        ///< of the schedules; null: UTC
  std::vector<std::string> environment;  ///< NAME=value for the scoring process: what the registry and the catalog need
  deployments::RunnerScope scope;        ///< whose runs it executes
  deployments::RunEnded ended;
  deployments::MayRun may_run;  ///< asked each time before a process starts; null: all may
};

/// The local dispatcher: starts a run for every tick of the cron clock and every queued run, each in a child process
/// that executes `slipway score --job`, and records what its events say. A run is leased to one server, which renews
/// the lease while the run goes on; the runs of a server that is gone are taken over.
///
/// Alone on its store, a server's runs outlive it: the next one finds them by their lock files, and one whose process
/// is gone is recorded, tried again, or failed. On a shared store a scoring process ends with its server, or when its
/// lease cannot be renewed, so that no run is ever executed twice at once.
///
/// Stop: alone, running processes go on; shared, they end, and their runs are queued again, for others.
std::unique_ptr<deployments::Dispatcher> MakeLocalDispatcher(deployments::Store& store, const Clock& clock,
                                                             LocalOptions options);

}  // namespace slipway::dispatch
