#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "dispatch/airflow/airflow_dispatcher.h"

namespace slipway::dispatch {

/// Asks Airflow for the runs that the store wants, and keeps the records of all runs that Airflow does, whoever asked
/// for them.
class RunKeeper {
 public:
  RunKeeper(deployments::Store& store, const Clock& clock, AirflowClient& airflow, const AirflowOptions& options)
      : store_(store), clock_(clock), airflow_(airflow), options_(options) {}

  /// One look at everything; whether something is queued or running.
  Result<bool> Round(const std::vector<deployments::Deployment>& deployments);

 private:
  using Deployment = deployments::Deployment;
  using Run = deployments::Run;
  Result<> Trigger(const Deployment& deployment, const Run& run);
  Result<> Follow(const Deployment& deployment, const Run& run);
  /// A DAG run of Airflow's own accord, or one that was cleared: it gets a record.
  Result<> Adopt(const Deployment& deployment, const DagRun& dag_run);
  Result<> Apply(const Deployment& deployment, const Run& run, const DagRun& dag_run, const TaskInstance& task);
  /// How a run ended, by its target.
  Result<> Conclude(const Deployment& deployment, const Run& run, const std::string& otherwise);
  Result<> Fail(const Run& run, const std::string& why);
  Result<> End(const Run& run, const std::function<void(Run&)>& change);
  Result<TaskInstance> TaskOf(const DagRun& dag_run);
  int ClearedTimes(const deployments::Deployment& deployment, const TaskInstance& task) const;

  deployments::Store& store_;
  const Clock& clock_;
  AirflowClient& airflow_;
  const AirflowOptions& options_;
  std::optional<Timestamp> looked_at_;  ///< by the system's clock
  /// What was last seen of a DAG run that needs nothing more.
  std::map<std::pair<std::string, std::string>, std::pair<std::string, std::optional<Timestamp>>> settled_;
};

}  // namespace slipway::dispatch
