#include "deployments/rows.h"

#include "base/format.h"
#include "base/json.h"

namespace slipway::deployments {

Result<Deployment> ReadDeployment(const soci::row& row) {
  Deployment d;
  d.sequence = *sql::Number(row, 0);
  d.deployment_id = *sql::Text(row, 1);
  d.model = *sql::Text(row, 2);
  d.name = *sql::Text(row, 3);
  ASSIGN(d.status, ParseDeploymentStatus(*sql::Text(row, 4)));
  d.created_by = *sql::Text(row, 5);
  ASSIGN(auto body, ParseJson(*sql::Text(row, 6)));
  if (!body.is_object())
    return Fail(ErrorKind::kCorrupt, "the store: the body of deployment {} is no object", d.deployment_id);
  d.body = std::move(body.get_object());
  d.schedule = sql::Text(row, 7);
  d.next_tick = sql::Time(row, 8);
  d.resolved_model_version = sql::Text(row, 9);
  d.error_message = sql::Text(row, 10);
  d.created_at = *sql::Time(row, 11);
  d.updated_at = *sql::Time(row, 12);
  d.stopped_at = sql::Time(row, 13);
  d.dag_id = sql::Text(row, 14);
  d.dag_location = sql::Text(row, 15);
  d.dag_digest = sql::Text(row, 16);
  d.dag_written_at = sql::Time(row, 17);
  return d;
}

Result<Run> ReadRun(const soci::row& row, size_t first) {
  Run r;
  auto column = [&, i = first]() mutable { return i++; };
  r.sequence = *sql::Number(row, column());
  r.run_id = *sql::Text(row, column());
  r.deployment_id = *sql::Text(row, column());
  ASSIGN(r.cause, ParseRunCause(*sql::Text(row, column())));
  r.logical_date = *sql::Time(row, column());
  ASSIGN(r.status, ParseRunStatus(*sql::Text(row, column())));
  r.attempt = static_cast<int>(*sql::Number(row, column()));
  r.rows_scored = sql::Number(row, column());
  r.snapshot_id = sql::Number(row, column());
  r.model_version = sql::Text(row, column());
  r.airflow_run_id = sql::Text(row, column());
  r.error_message = sql::Text(row, column());
  r.queued_at = *sql::Time(row, column());
  r.started_at = sql::Time(row, column());
  r.finished_at = sql::Time(row, column());
  r.cancelled_by = sql::Text(row, column());
  r.leased_by = sql::Text(row, column());
  return r;
}

bool InsertRun(sql::Session& session, const Run& r) {
  sql::Values v;
  auto statement = fmt::format(
      "INSERT INTO runs (run_id, deployment_id, cause, logical_date, status, attempt, rows_scored, airflow_run_id, "
      "error_message, "
      "queued_at, started_at, finished_at) VALUES ({}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}) ON CONFLICT DO "
      "NOTHING",
      v(r.run_id), v(r.deployment_id), v(ToString(r.cause)), v(r.logical_date), v(ToString(r.status)), v(r.attempt),
      v(r.rows_scored), v(r.airflow_run_id), v(r.error_message), v(r.queued_at), v(r.started_at), v(r.finished_at));
  return v.Execute(session, statement) == 1;
}

}  // namespace slipway::deployments
