#pragma once

#include "deployments/column_types.h"
#include "deployments/store.h"
#include "deployments/subjects.h"

/// Rows of the tables `deployments` and `runs` as records; for the store's own .cc files.
namespace slipway::deployments {

/// Every member of a deployment but its spec, which kSpecColumns hold.
inline constexpr std::array kDeploymentColumns = {
    Field<&Deployment::sequence>("sequence", Use::kGiven),
    Field<&Deployment::deployment_id>("deployment_id", Use::kInserted, "a UUID"),
    Field<&Deployment::name>("name", Use::kInserted, "unique per model among those not archived"),
    Field<&Deployment::status>("status", Use::kChanged, ""),
    Field<&Deployment::model>("model", Use::kInserted, "the registered model"),
    Field<&Deployment::created_at>("created_at", Use::kInserted, "RFC 3339, UTC"),
    Field<&Deployment::updated_at>("updated_at", Use::kChanged, "RFC 3339, UTC"),
    Field<&Deployment::resolved_model_version>("resolved_model_version", Use::kChanged,
                                               "of the last run, or when it was made"),
    Field<&Deployment::dag_id>("dag_id", Use::kChanged, "in Airflow"),
    Field<&Deployment::schedule>("schedule", Use::kChanged,
                                 "a cron expression, in the server's time zone; null: manual trigger only"),
    DamageOr<&Deployment::error_message>("error_message", Use::kChanged, "what keeps it from working"),
    Field<&Deployment::stopped_at>("stopped_at", Use::kChanged, ""),
    Field<&Deployment::created_by>("created_by", Use::kInserted, "the creator's subject"),
    Field<&Deployment::created_by_kind>("created_by_kind", Use::kInserted, "of what kind the creator is"),
    Field<&Deployment::rights_of>("rights_of", Use::kChanged,
                                  "the subject whose rights its runs have: who last said what it does"),
    Field<&Deployment::rights_of_kind>("rights_of_kind", Use::kChanged, "of what kind that one is"),
    Field<&Deployment::next_tick>("next_tick", Use::kChanged, "of the schedule"),
    Field<&Deployment::dag_location>("dag_location", Use::kChanged),
    Field<&Deployment::dag_digest>("dag_digest", Use::kChanged),
    Field<&Deployment::dag_written_at>("dag_written_at", Use::kChanged),
};
/// Behind them: the spec, and of its members those that queries look for and a damaged row still has.
inline constexpr auto kSpecColumns = "d.body, d.owner, d.domain, d.runner";
inline constexpr size_t kDeploymentWidth = kDeploymentColumns.size() + 4;

inline constexpr std::array kRunColumns = {
    Field<&Run::run_id>("run_id", Use::kInserted, "a UUID"),
    Field<&Run::airflow_run_id>("airflow_run_id", Use::kChanged, "Airflow's name of the run"),
    Field<&Run::status>("status", Use::kChanged, ""),
    Field<&Run::rows_scored>("rows_scored", Use::kChanged, ""),
    Field<&Run::rows_left_out>("rows_left_out", Use::kChanged,
                               "of append_dedup: rows that stood in the target already; null: none"),
    Field<&Run::started_at>("started_at", Use::kChanged, "RFC 3339, UTC"),
    Field<&Run::finished_at>("finished_at", Use::kChanged, "RFC 3339, UTC"),
    Field<&Run::logical_date>("logical_date", Use::kInserted, "the instant the run stands for"),
    Field<&Run::model_version>("model_version", Use::kChanged, "that was resolved when it started"),
    FieldShownAsText<&Run::snapshot_id>("snapshot_id", Use::kChanged, "of the target; text, since it has 63 bits"),
    DamageOr<&Run::error_message>("error_message", Use::kChanged, "why it failed"),
    Field<&Run::warning>("warning", Use::kChanged, "of a run that succeeded: what somebody should look at"),
    Field<&Run::attempt>("attempt", Use::kChanged, "1 while it runs for the first time"),
    Field<&Run::next_attempt_at>("next_attempt_at", Use::kChanged,
                                 "when it is tried again; null: nothing waits for that"),
    Field<&Run::sequence>("sequence", Use::kGiven),
    Field<&Run::deployment_id>("deployment_id", Use::kInserted),
    Field<&Run::cause>("cause", Use::kInserted),
    Field<&Run::queued_at>("queued_at", Use::kInserted),
    Field<&Run::cancelled_by>("cancelled_by", Use::kChanged),
    Field<&Run::leased_by>("leased_by", Use::kChanged),
};

/// "SELECT … FROM deployments d ", for what follows.
const std::string& SelectDeployments();
/// "SELECT … FROM runs r WHERE …"
std::string SelectRuns(std::string_view where);

/// A condition on `d` of deployments.
std::string InScope(const RunnerScope& scope);

/// Damaged rows are records too, with `damage` set: nobody else's row is kept from being read by them.
Deployment ReadDeployment(const soci::row& row);
/// `first`: where the run's columns start in the row.
Run ReadRun(const soci::row& row, size_t first = 0);

/// False where the id or, among the model's deployments that are not archived, the name is taken.
bool InsertDeployment(sql::Session& session, const Deployment& deployment);
/// Writes what may change of a deployment; the spec of a damaged one is left as it is.
void UpdateDeployment(sql::Session& session, const Deployment& deployment);
/// Adds a run. False where it is there already: a tick, or an Airflow run.
bool InsertRun(sql::Session& session, const Run& run);
/// Writes what may change of a run.
void UpdateRun(sql::Session& session, const Run& run);

}  // namespace slipway::deployments
