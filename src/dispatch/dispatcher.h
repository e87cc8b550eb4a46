#pragma once

#include "deployments/records.h"

namespace slipway::dispatch {

/// When and where runs are executed: by this server's own clock and processes (local_dispatcher.h), or by Airflow
/// (airflow/airflow_dispatcher.h). A thread of its own looks at the store and makes true what it says.
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
  virtual void Prepare(deployments::Deployment& deployment) const = 0;
  /// Whether ending a run is the dispatcher's, which sees `cancelled_by`; else it can be recorded at once.
  virtual bool Ends(const deployments::Run& run) const = 0;
};

}  // namespace slipway::dispatch
