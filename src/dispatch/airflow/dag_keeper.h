#pragma once

#include <map>
#include <string>

#include "base/file_io.h"
#include "deployments/store.h"
#include "dispatch/airflow/airflow_dispatcher.h"

namespace slipway::dispatch {

/// Makes the DAGs in the folder and in Airflow those that the store wants.
class DagKeeper {
 public:
  DagKeeper(deployments::Store& store, const Clock& clock, AirflowClient& airflow, const AirflowOptions& options)
      : store_(store), clock_(clock), airflow_(airflow), options_(options) {}

  /// One look at everything; whether something is still under way.
  Result<bool> Round(const std::vector<deployments::Deployment>& deployments);

  /// The status and places of a deployment that was created, changed or started.
  static void Prepare(deployments::Deployment& deployment, const std::string& folder);

 private:
  using Deployment = deployments::Deployment;
  /// The state of a deployment that was changed; false when somebody changed it meanwhile.
  Result<bool> Change(const Deployment& seen, const std::function<void(Deployment&)>& change);
  Result<> Write(Deployment& deployment, const DagFile& file);
  Result<bool> Settle(Deployment deployment);
  Result<bool> Remove(const Deployment& deployment);
  void Note(const Deployment& deployment, deployments::DeploymentStatus status, const std::string& message);

  deployments::Store& store_;
  const Clock& clock_;
  AirflowClient& airflow_;
  const AirflowOptions& options_;
  FileIo io_;
  std::map<std::string, double> checked_at_;  ///< when a file was last seen to be right, by DAG
  Result<std::map<std::string, Dag>> dags_;
  Result<std::map<std::string, std::string>> import_errors_;
};

}  // namespace slipway::dispatch
