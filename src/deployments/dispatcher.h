#pragma once

#include <functional>
#include <map>
#include <string>

#include "deployments/records.h"

namespace slipway::deployments {

/// What executes the runs of one runner: this server's own clock and processes (dispatch/local_dispatcher.h), or
/// Airflow (dispatch/airflow/). A thread of its own looks at the store and makes true what it says.
class Dispatcher {
 public:
  virtual ~Dispatcher() = default;

  virtual void Start() = 0;
  /// Stops watching; the destructor does so too. For an end before what it tells of runs is gone.
  virtual void Stop() = 0;
  /// Something was queued, cancelled or changed: look now.
  virtual void Wake() = 0;
  /// When the loop last went round; for /readyz.
  virtual double SecondsSinceLastRound() const = 0;

  /// A deployment as it is right after it was created, changed or started: its status, and where it is dispatched.
  virtual void Prepare(Deployment& deployment) const = 0;
  /// Whether the dispatcher ends a cancelled run, which it knows by `cancelled_by`; else its end is recorded at once.
  virtual bool OwnsCancellation(const Run& run) const = 0;
};

/// Whether a run of a deployment may start, by the rights that it has now. kDenied: which right is missing, and whose;
/// kUnavailable: it cannot be told now.
using MayRun = std::function<Result<>(const Deployment& deployment)>;

/// Is told of a run that ended, with the seconds of its stages where they are known; for metrics.
using RunEnded = std::function<void(const Run& run, const std::map<std::string, double>& stage_seconds)>;

/// The runners that a server has. They outlive this.
struct Runners {
  RunnerKind standard = RunnerKind::kLocal;  ///< of deployments that name none
  std::map<RunnerKind, Dispatcher*> dispatchers;

  RunnerKind KindOf(const DeploymentSpec& spec) const { return spec.runner.value_or(standard); }
  /// Null where this server does not have the runner.
  const Dispatcher* Find(const DeploymentSpec& spec) const {
    auto found = dispatchers.find(KindOf(spec));
    return found == dispatchers.end() ? nullptr : found->second;
  }
  void Wake() const {
    for (const auto& [kind, dispatcher] : dispatchers) dispatcher->Wake();
  }
};

}  // namespace slipway::deployments
