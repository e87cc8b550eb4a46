#include "database/schema.h"

#include "base/format.h"
#include "database/sql.h"

namespace slipway {
namespace {

/// Each is applied once, in order; `schema_version` counts them. Never edit one that was released: add another.
/// `{identity}` stands for the dialect's. Instants are microseconds since 1970.
constexpr const char* kMigrations[] = {
    R"(CREATE TABLE deployments (
         sequence {identity}, deployment_id TEXT NOT NULL UNIQUE, model TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
         owner TEXT NOT NULL, domain TEXT NOT NULL, created_by TEXT NOT NULL, body TEXT NOT NULL, schedule TEXT, next_tick BIGINT,
         resolved_model_version TEXT, error_message TEXT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, stopped_at BIGINT))",
    "CREATE UNIQUE INDEX deployment_names ON deployments (model, name) WHERE status <> 'archived'",
    "CREATE INDEX deployment_ticks ON deployments (next_tick) WHERE status = 'active' AND next_tick IS NOT NULL",
    "CREATE INDEX deployments_of_model ON deployments (model, sequence)",
    R"(CREATE TABLE deployment_roles (
         deployment_id TEXT NOT NULL REFERENCES deployments (deployment_id), role TEXT NOT NULL, PRIMARY KEY (deployment_id, role)))",
    R"(CREATE TABLE runs (
         sequence {identity}, run_id TEXT NOT NULL UNIQUE, deployment_id TEXT NOT NULL REFERENCES deployments (deployment_id),
         cause TEXT NOT NULL, logical_date BIGINT NOT NULL, status TEXT NOT NULL, attempt BIGINT NOT NULL, rows_scored BIGINT,
         snapshot_id BIGINT, model_version TEXT, airflow_run_id TEXT, error_message TEXT, queued_at BIGINT NOT NULL,
         started_at BIGINT, finished_at BIGINT, cancelled_by TEXT, leased_by TEXT, leased_until BIGINT))",
    "CREATE INDEX runs_of_deployment ON runs (deployment_id, sequence)",
    "CREATE INDEX runs_in_progress ON runs (status, sequence) WHERE status IN ('queued', 'running')",
    "CREATE UNIQUE INDEX one_run_at_a_time ON runs (deployment_id) WHERE leased_by IS NOT NULL",
    "CREATE UNIQUE INDEX one_run_per_tick ON runs (deployment_id, logical_date) WHERE cause = 'schedule'",
    "CREATE UNIQUE INDEX airflow_runs ON runs (deployment_id, airflow_run_id) WHERE airflow_run_id IS NOT NULL",
    R"(CREATE TABLE people (
         subject TEXT PRIMARY KEY, username TEXT NOT NULL, roles TEXT NOT NULL, token_issued_at BIGINT NOT NULL))",
    R"(CREATE TABLE user_keys (
         sequence {identity}, id TEXT NOT NULL UNIQUE, subject TEXT NOT NULL REFERENCES people (subject), hash TEXT NOT NULL UNIQUE,
         description TEXT NOT NULL, created_at BIGINT NOT NULL, revoked_at BIGINT))",
    "CREATE INDEX keys_of_subject ON user_keys (subject, sequence)",
    R"(CREATE TABLE audit (
         sequence {identity}, at BIGINT NOT NULL, actor TEXT NOT NULL, actor_kind TEXT NOT NULL, action TEXT NOT NULL, model TEXT,
         deployment TEXT, status BIGINT NOT NULL, detail TEXT, remote TEXT NOT NULL, request_id TEXT NOT NULL))",
    "CREATE INDEX audit_of_deployment ON audit (model, deployment, sequence)",
    R"(CREATE TABLE webhook_deliveries (
         sequence {identity}, delivery_id TEXT NOT NULL UNIQUE, webhook TEXT NOT NULL, event TEXT NOT NULL, body TEXT NOT NULL,
         status TEXT NOT NULL, attempts BIGINT NOT NULL, next_attempt BIGINT NOT NULL, last_error TEXT, created_at BIGINT NOT NULL))",
    "CREATE INDEX webhooks_due ON webhook_deliveries (next_attempt) WHERE status = 'pending'",
    "CREATE INDEX webhooks_in_status ON webhook_deliveries (status, sequence)",
    "ALTER TABLE deployments ADD COLUMN dag_id TEXT",
    "ALTER TABLE deployments ADD COLUMN dag_location TEXT",
    "ALTER TABLE deployments ADD COLUMN dag_digest TEXT",
    "ALTER TABLE deployments ADD COLUMN dag_written_at BIGINT",
    "CREATE UNIQUE INDEX dag_ids ON deployments (dag_id) WHERE dag_id IS NOT NULL",
    "DROP INDEX airflow_runs",
    "CREATE INDEX runs_in_airflow ON runs (deployment_id, airflow_run_id, sequence) WHERE airflow_run_id IS NOT NULL",
    "CREATE TABLE holds (what TEXT PRIMARY KEY, server TEXT NOT NULL, until BIGINT NOT NULL)",
};

}  // namespace

Result<> Migrate(sql::Session& session, const Dialect& dialect) {
  std::string none;
  if (dialect.postgresql)
    session << "SELECT CAST(pg_advisory_xact_lock(7017491) AS TEXT)", soci::into(none);  // one migrates at a time
  session << "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)";
  long long version = 0;
  session << "SELECT COALESCE(MAX(version), 0) FROM schema_version", soci::into(version);
  constexpr auto kNewest = static_cast<long long>(std::size(kMigrations));
  if (version > kNewest)
    return Fail(ErrorKind::kUnsupported, "the database has schema version {}, this Slipway knows {}: start a newer one",
                version, kNewest);
  if (version == kNewest) return {};
  for (auto i = version; i < kNewest; ++i) {
    std::string statement = kMigrations[i];
    if (auto at = statement.find("{identity}"); at != std::string::npos) statement.replace(at, 10, dialect.identity);
    session << statement;
  }
  session << "DELETE FROM schema_version";
  session << "INSERT INTO schema_version (version) VALUES (" << kNewest << ")";
  return {};
}

}  // namespace slipway
