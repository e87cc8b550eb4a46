#include "deployments/shared_target.h"

#include "base/format.h"
#include "deployments/rows.h"

namespace slipway::deployments {
namespace {

bool Overwrites(const Deployment& d) {
  bool lives = d.status != DeploymentStatus::kStopped && d.status != DeploymentStatus::kArchived;
  return lives && !d.damage && d.spec.batch.rerun_behavior == scoring::RerunBehavior::kOverwritePartition;
}

/// Rows that servers wrote which did not know the column `target`.
Result<> FillTargets(sql::Session& session) {
  sql::Values none;
  ASSIGN(auto found,
         none.Select<Deployment>(session, SelectDeployments() + "WHERE d.target IS NULL AND d.status <> 'archived'",
                                 ReadDeployment));
  for (const auto& deployment : found) {
    sql::Values v;
    auto target = deployment.damage ? std::string() : TargetKey(deployment.spec.batch);
    v.Execute(session, fmt::format("UPDATE deployments SET target = {} WHERE deployment_id = {}", v(target),
                                   v(deployment.deployment_id)));
  }
  return {};
}

}  // namespace

std::string TargetKey(const BatchSpec& batch) {
  // No name of a schema or a table holds a slash (base/names.h).
  return fmt::format("{}/{}/{}", batch.target.catalog, batch.target.schema, batch.target.table);
}

bool BeginsToReplaceAll(const Deployment* before, const Deployment& after) {
  bool did = before != nullptr && Overwrites(*before) && !before->spec.batch.own_rows.value_or(false);
  return !did && Overwrites(after) && !after.spec.batch.own_rows.value_or(true);
}

Result<> RequireAlone(sql::Session& session, const Dialect& dialect, const Deployment& deployment) {
  const auto key = TargetKey(deployment.spec.batch);
  if (dialect.postgresql) {
    std::string none;
    session << "SELECT CAST(pg_advisory_xact_lock(7017492, hashtext(:t)) AS TEXT)", soci::use(key), soci::into(none);
  }
  TRY(FillTargets(session));
  sql::Values v;
  auto query = fmt::format(
      "SELECT d.model, d.name FROM deployments d WHERE d.target = {} AND d.deployment_id <> {} AND d.status NOT IN "
      "('archived', 'stopped') ORDER BY d.sequence LIMIT 1",
      v(key), v(deployment.deployment_id));
  ASSIGN(auto others, v.Select<std::string>(session, query, [](const soci::row& row) {
    return sql::Text(row, 0).value_or("") + "/" + sql::Text(row, 1).value_or("");
  }));
  if (others.empty()) return {};
  const auto& target = deployment.spec.batch.target;
  return Fail(ErrorKind::kConflict,
              "the deployment '{0}' writes into {1}.{2} too, which has no column 'deployment' to tell whose a row is: "
              "a run of this one would replace its rows. Add the column (ALTER TABLE {1}.{2} ADD COLUMN deployment "
              "string), take another target or append_dedup, or stop '{0}'",
              others.front(), target.schema, target.table);
}

}  // namespace slipway::deployments
