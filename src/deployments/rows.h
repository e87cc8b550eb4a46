#pragma once

#include "database/sql.h"
#include "deployments/records.h"

/// Rows of the tables `deployments` and `runs` as records; for the store's own .cc files.
namespace slipway::deployments {

inline constexpr auto kDeploymentColumns =
    "d.sequence, d.deployment_id, d.model, d.name, d.status, d.created_by, d.body, d.schedule, d.next_tick, "
    "d.resolved_model_version, "
    "d.error_message, d.created_at, d.updated_at, d.stopped_at, d.dag_id, d.dag_location, d.dag_digest, "
    "d.dag_written_at";
inline constexpr size_t kDeploymentColumnCount = 18;

inline constexpr auto kRunColumns =
    "r.sequence, r.run_id, r.deployment_id, r.cause, r.logical_date, r.status, r.attempt, r.rows_scored, "
    "r.snapshot_id, r.model_version, "
    "r.airflow_run_id, r.error_message, r.queued_at, r.started_at, r.finished_at, r.cancelled_by, r.leased_by";

Result<Deployment> ReadDeployment(const soci::row& row);
/// `first`: where the run's columns start in the row.
Result<Run> ReadRun(const soci::row& row, size_t first = 0);

/// Adds a run. False where it is there already: a tick, or an Airflow run.
bool InsertRun(sql::Session& session, const Run& run);

}  // namespace slipway::deployments
