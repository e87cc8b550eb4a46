#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "deployments/records.h"

namespace slipway::deployments {

/// Which deployments a list shows; archived ones only when `status` asks for them.
struct DeploymentFilter {
  std::optional<std::string> model, owner, domain;
  std::optional<DeploymentStatus> status;
};

/// A page: items in a fixed order, and where the next page starts. Inserts between two pages move nothing.
template <typename T>
struct Page {
  std::vector<T> items;
  std::optional<int64_t> next;
};

/// How a run changes. Only the given members are written.
struct RunChange {
  RunStatus status = RunStatus::kRunning;
  std::optional<int> attempt;
  std::optional<int64_t> rows_scored, snapshot_id;
  std::optional<std::string> model_version, error_message;
  std::optional<Timestamp> started_at, finished_at;
};

/// Deployments and runs in a SQLite file (WAL, migrated at open). Thread-safe; every change is durable when it returns.
class Store {
 public:
  static Result<std::unique_ptr<Store>> Open(const std::string& file);
  ~Store();

  /// kConflict: the name is taken among the model's deployments that are not archived.
  Result<> CreateDeployment(const Deployment& deployment);
  Result<Deployment> FindDeployment(const std::string& model, const std::string& name);
  Result<Deployment> FindDeploymentById(const std::string& deployment_id);
  /// Oldest first, after `cursor`.
  Result<Page<Deployment>> ListDeployments(const DeploymentFilter& filter, int limit, std::optional<int64_t> cursor);
  /// Active deployments whose next tick is not after `now`.
  Result<std::vector<Deployment>> DueDeployments(Timestamp now);

  /// Adds a queued run, and in the same transaction moves the deployment's next tick when one is given.
  Result<> CreateRun(const Run& run, std::optional<Timestamp> next_tick = std::nullopt);
  Result<Run> FindRun(const std::string& run_id);
  Result<std::optional<Run>> LastRun(const std::string& deployment_id);
  /// Newest first, before `cursor`.
  Result<Page<Run>> ListRuns(const std::string& deployment_id, int limit, std::optional<int64_t> cursor);
  Result<std::vector<Run>> RunsInStatus(RunStatus status);
  /// The oldest queued run of a deployment that has none running, or nothing.
  Result<std::optional<Run>> NextQueuedRun();
  /// kConflict where the state machine does not allow it; then nothing is changed.
  Result<> ChangeRun(const std::string& run_id, const RunChange& change);
  /// Rows so far of a running run.
  Result<> ReportProgress(const std::string& run_id, int64_t rows_scored);

 private:
  struct Session;
  explicit Store(std::unique_ptr<Session> session);
  std::unique_ptr<Session> session_;
};

}  // namespace slipway::deployments
