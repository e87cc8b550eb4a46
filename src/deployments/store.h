#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "database/database.h"
#include "deployments/run_log.h"
#include "deployments/store_types.h"

namespace slipway::deployments {

/// Deployments and runs in a database. Thread-safe; every change is durable when it returns, and goes through the state
/// machines of records.h: kConflict where they do not allow it, and then nothing is changed.
/// A change whose answer was lost on its way is looked up, and told as what became of it; kPerhapsCommitted only when
/// the database cannot be asked any more.
class Store {
 public:
  /// `most_queued`: runs that a deployment may have queued, but for those of its schedule.
  explicit Store(Database& database, RunAnnouncer announce = {}, int64_t most_queued = 1000)
      : database_(database), announce_(std::move(announce)), most_queued_(most_queued) {}

  /// With its first run, if one is given; `also` is done in the same transaction. kConflict: the name is taken among
  /// the model's deployments that are not archived, or as of CheckTarget.
  Result<> CreateDeployment(const Deployment& deployment, const std::optional<Run>& first_run = std::nullopt,
                            const Database::Work& also = {});
  /// kConflict: it would replace rows of another deployment with the same target (shared_target.h).
  Result<> CheckTarget(const Deployment& deployment);
  Result<DeploymentWithRun> FindDeployment(const std::string& model, const std::string& name);
  Result<Deployment> FindDeploymentById(const std::string& deployment_id);
  /// Oldest first, after `cursor`.
  Result<Page<DeploymentWithRun>> ListDeployments(const DeploymentFilter& filter, int limit,
                                                  std::optional<int64_t> cursor);
  /// Reads, changes and writes a deployment in one transaction; the new state. kConflict as of CheckTarget. In the same
  /// transaction its open runs change, and `also` is done.
  Result<Deployment> ChangeDeployment(const std::string& deployment_id,
                                      const std::function<Result<>(Deployment&)>& change,
                                      const OpenRunsChange& open_runs = {}, const Database::Work& also = {});
  /// Active deployments of a runner whose next tick is not after `now`.
  Result<std::vector<Deployment>> DueDeployments(Timestamp now, const RunnerScope& scope);

  /// Those that Airflow has to have, and others (archived, or another runner's now) whose DAG is not gone yet.
  Result<std::vector<Deployment>> DagDeployments(const RunnerScope& scope);
  /// The DAG of a deployment is gone, of the one that is archived or another runner's.
  Result<> ForgetDag(const std::string& deployment_id, const RunnerScope& scope);
  /// One server at a time holds `what`, for some seconds (0: no longer): whether it is this one now.
  Result<bool> Hold(const std::string& what, const std::string& server, int seconds);

  /// All of them, in one transaction with `also`, or none. kConflict: a run is there already, its deployment is not
  /// active, or would have more runs queued than `most_queued`. A run of cause kAirflow is recorded whatever its
  /// deployment's status is: it has happened.
  Result<> CreateRuns(const std::vector<Run>& runs, const Database::Work& also = {});
  /// Moves the deployment's next tick from the one that was read and adds the runs, or does neither: false when another
  /// server has fired it, or the deployment has changed.
  Result<bool> FireTick(const Deployment& deployment, std::optional<Timestamp> next_tick, const std::vector<Run>& runs);
  Result<Run> FindRun(const std::string& run_id);
  /// The newest with that name: a run that was cleared in Airflow and done again has several.
  Result<std::optional<Run>> FindAirflowRun(const std::string& deployment_id, const std::string& airflow_run_id);
  /// Every run of a runner's deployments, and of those that still have a DAG, which is queued or running; oldest first.
  Result<std::vector<Run>> OpenRuns(const RunnerScope& scope);
  /// Newest first, before `cursor`.
  Result<Page<Run>> ListRuns(const std::string& deployment_id, int limit, std::optional<int64_t> cursor);
  /// Logical dates that have a run which is not failed, within [from, to].
  Result<std::set<Timestamp>> CoveredDates(const std::string& deployment_id, Timestamp from, Timestamp to);
  /// Writes something of no meaning; why that is not possible.
  Result<> CheckWritable();
  /// `status`: queued or running.
  Result<int64_t> CountOpenRuns(RunStatus status);
  /// How long the oldest queued run has waited until `now`, in seconds; 0 without one.
  Result<double> QueueAge(Timestamp now);
  /// Reads, changes and writes a run in one transaction; the new state.
  Result<Run> ChangeRun(const std::string& run_id, const std::function<Result<>(Run&)>& change,
                        const Database::Work& also = {});

  /// A lease keeps a run to one server: it is renewed while the run goes on, and a run whose lease has expired may be
  /// taken over. Claims a queued run of a deployment that has none running, as running, with one attempt more; or
  /// nothing. Deployments take turns: the one whose last run was claimed longest ago is next, with its oldest run. A
  /// run of a stopped or archived deployment does not start; one that has started before goes on.
  Result<std::optional<Run>> ClaimRun(const std::string& server, int lease_seconds, Timestamp now,
                                      const RunnerScope& scope);
  /// Renews the leases of a server; the runs that it still holds.
  Result<std::vector<Run>> RenewLeases(const std::string& server, int lease_seconds);
  /// Takes the runs whose lease has expired, or with `all` every run that another server holds; they are `server`'s
  /// now.
  Result<std::vector<Run>> TakeOver(const std::string& server, int lease_seconds, bool all);
  /// Rows so far of a running run.
  Result<> ReportProgress(const std::string& run_id, int64_t rows_scored);

  /// In the place of what was kept of the run's log before.
  Result<> KeepLog(const std::string& run_id, const RunLog& log);
  /// Empty where nothing was kept.
  Result<RunLog> FindLog(const std::string& run_id);

 private:
  Result<> Announce(sql::Session& session, const Run& run) { return announce_ ? announce_(session, run) : Result<>(); }
  Result<> ChangeOpenRuns(sql::Session& session, const std::string& deployment_id, const OpenRunsChange& change);
  Result<> EndUntouched(sql::Session& session, const std::string& deployment_id, const OpenRunsChange::End& end);
  Database& database_;
  RunAnnouncer announce_;
  int64_t most_queued_;
};

}  // namespace slipway::deployments
