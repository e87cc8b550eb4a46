#include "deployments/migrations.h"

namespace slipway::deployments {
namespace {

/// Never edit one that was released: add another, with the next number of all folders (see server/serve.cc).
constexpr Migration kMigrations[] = {
    // clang-format off
    {1, R"(CREATE TABLE deployments (
          sequence {identity}, deployment_id TEXT NOT NULL UNIQUE, model TEXT NOT NULL, name TEXT NOT NULL,
          status TEXT NOT NULL, owner TEXT NOT NULL, domain TEXT NOT NULL, created_by TEXT NOT NULL,
          body TEXT NOT NULL, schedule TEXT, next_tick BIGINT, resolved_model_version TEXT, error_message TEXT,
          created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, stopped_at BIGINT))"},
    {2, "CREATE UNIQUE INDEX deployment_names ON deployments (model, name) WHERE status <> 'archived'"},
    {3, "CREATE INDEX deployment_ticks ON deployments (next_tick) WHERE status = 'active' AND next_tick IS NOT NULL"},
    {4, "CREATE INDEX deployments_of_model ON deployments (model, sequence)"},
    {5, R"(CREATE TABLE deployment_roles (
          deployment_id TEXT NOT NULL REFERENCES deployments (deployment_id), role TEXT NOT NULL,
          PRIMARY KEY (deployment_id, role)))"},
    {6, R"(CREATE TABLE runs (
          sequence {identity}, run_id TEXT NOT NULL UNIQUE,
          deployment_id TEXT NOT NULL REFERENCES deployments (deployment_id), cause TEXT NOT NULL,
          logical_date BIGINT NOT NULL, status TEXT NOT NULL, attempt BIGINT NOT NULL, rows_scored BIGINT,
          snapshot_id BIGINT, model_version TEXT, airflow_run_id TEXT, error_message TEXT,
          queued_at BIGINT NOT NULL, started_at BIGINT, finished_at BIGINT, cancelled_by TEXT, leased_by TEXT,
          leased_until BIGINT))"},
    {7, "CREATE INDEX runs_of_deployment ON runs (deployment_id, sequence)"},
    {8, "CREATE INDEX runs_in_progress ON runs (status, sequence) WHERE status IN ('queued', 'running')"},
    {9, "CREATE UNIQUE INDEX one_run_at_a_time ON runs (deployment_id) WHERE leased_by IS NOT NULL"},
    {10, "CREATE UNIQUE INDEX one_run_per_tick ON runs (deployment_id, logical_date) WHERE cause = 'schedule'"},
    {11, "CREATE UNIQUE INDEX airflow_runs ON runs (deployment_id, airflow_run_id) WHERE airflow_run_id IS NOT NULL"},
    {20, "ALTER TABLE deployments ADD COLUMN dag_id TEXT"},
    {21, "ALTER TABLE deployments ADD COLUMN dag_location TEXT"},
    {22, "ALTER TABLE deployments ADD COLUMN dag_digest TEXT"},
    {23, "ALTER TABLE deployments ADD COLUMN dag_written_at BIGINT"},
    {24, "CREATE UNIQUE INDEX dag_ids ON deployments (dag_id) WHERE dag_id IS NOT NULL"},
    {25, "DROP INDEX airflow_runs"},
    {26, "CREATE INDEX runs_in_airflow ON runs (deployment_id, airflow_run_id, sequence) WHERE airflow_run_id IS NOT NULL"},
    {27, "CREATE TABLE holds (what TEXT PRIMARY KEY, server TEXT NOT NULL, until BIGINT NOT NULL)"},
    {28, "ALTER TABLE deployments ADD COLUMN runner TEXT"},
    {35, "ALTER TABLE deployments ADD COLUMN target TEXT"},
    {36, "CREATE INDEX deployments_of_target ON deployments (target) WHERE status <> 'archived'"},
    // A person whom the issuer calls "platform" is not told from the platform PSK in older rows: these are the PSK's.
    {37, "ALTER TABLE deployments ADD COLUMN created_by_kind TEXT NOT NULL DEFAULT 'person'"},
    {38, R"(UPDATE deployments SET created_by_kind = CASE WHEN created_by = 'platform' THEN 'platform' ELSE 'service' END
          WHERE created_by = 'platform' OR created_by LIKE 'service-account:%')"},
    {39, "ALTER TABLE deployments ADD COLUMN rights_of TEXT NOT NULL DEFAULT ''"},
    {40, "ALTER TABLE deployments ADD COLUMN rights_of_kind TEXT NOT NULL DEFAULT 'person'"},
    {41, "UPDATE deployments SET rights_of = created_by, rights_of_kind = created_by_kind"},
    {44, "CREATE INDEX runs_waiting ON runs (deployment_id, sequence) WHERE status = 'queued'"},
    {45, "ALTER TABLE deployments ADD COLUMN claim BIGINT"},  // counts the claims of runs of all
    {46, "CREATE INDEX deployment_claims ON deployments (claim)"},
    {47, "ALTER TABLE runs ADD COLUMN rows_left_out BIGINT"},
    {48, "ALTER TABLE runs ADD COLUMN warning TEXT"},
    {49, "ALTER TABLE runs ADD COLUMN next_attempt_at BIGINT"},
    {50, R"(CREATE TABLE run_logs (run_id TEXT PRIMARY KEY REFERENCES runs (run_id), text TEXT NOT NULL,
          bytes BIGINT NOT NULL))"},
    // clang-format on
};

}  // namespace

std::span<const Migration> Migrations() { return kMigrations; }

}  // namespace slipway::deployments
