#include "deployments/rows.h"

#include <boost/json/serialize.hpp>

#include "base/format.h"
#include "base/json.h"
#include "deployments/shared_target.h"

namespace slipway::deployments {
namespace {

Result<DeploymentSpec> ReadSpec(const soci::row& row, size_t column, const std::string& model) {
  try {
    ASSIGN(auto body, ParseJson(sql::Text(row, column).value_or("")));
    return ParseSpec(body, model);
  } catch (const std::exception& error) {
    return Fail(ErrorKind::kCorrupt, error.what());
  }
}

void WriteRoles(sql::Session& session, const Deployment& d) {
  if (!d.spec.allowed_roles) return;
  for (const auto& role : *d.spec.allowed_roles) {
    sql::Values v;
    auto statement =
        fmt::format("INSERT INTO deployment_roles (deployment_id, role) VALUES ({}, {}) ON CONFLICT DO NOTHING",
                    v(d.deployment_id), v(role));
    v.Execute(session, statement);
  }
}

std::optional<std::string> RunnerOf(const DeploymentSpec& spec) {
  return spec.runner ? std::optional<std::string>(ToString(*spec.runner)) : std::nullopt;
}

}  // namespace

const std::string& SelectDeployments() {
  static const std::string kSelect =
      fmt::format("SELECT {}, {} FROM deployments d ", Names(kDeploymentColumns, "d"), kSpecColumns);
  return kSelect;
}

std::string SelectRuns(std::string_view where) {
  static const std::string kSelect = fmt::format("SELECT {} FROM runs r WHERE ", Names(kRunColumns, "r"));
  return kSelect + std::string(where);
}

Deployment ReadDeployment(const soci::row& row) {
  Deployment d;
  d.status = DeploymentStatus::kFailed;  // where it cannot be read
  auto damage = ReadColumns(kDeploymentColumns, d, row, 0);
  constexpr auto kBody = kDeploymentColumns.size();
  if (auto spec = ReadSpec(row, kBody, d.model)) {
    d.spec = std::move(*spec);
  } else {
    d.spec.owner = sql::Text(row, kBody + 1).value_or("");
    d.spec.domain = sql::Text(row, kBody + 2).value_or("");
    if (auto runner = ParseWord<RunnerKind>(sql::Text(row, kBody + 3).value_or(""))) d.spec.runner = *runner;
    if (!damage) damage = "body: " + spec.error().message;
  }
  if (damage)
    d.damage = "the stored record of this deployment is damaged (" + *damage + "): archive it, and create it again";
  return d;
}

Run ReadRun(const soci::row& row, size_t first) {
  Run run;
  if (auto damage = ReadColumns(kRunColumns, run, row, first))
    run.damage = "the stored record of this run is damaged (" + *damage + "): trigger another one";
  return run;
}

bool InsertDeployment(sql::Session& session, const Deployment& d) {
  sql::Values v;
  auto statement = Insert("deployments", kDeploymentColumns, v, d,
                          {{"owner", v(d.spec.owner)},
                           {"domain", v(d.spec.domain)},
                           {"runner", v(RunnerOf(d.spec))},
                           {"target", v(TargetKey(d.spec.batch))},
                           {"body", v(json::serialize(ToJson(d.spec)))}});
  if (v.Execute(session, statement) != 1) return false;
  WriteRoles(session, d);
  return true;
}

void UpdateDeployment(sql::Session& session, const Deployment& d) {
  sql::Values v;
  auto assignments = Assignments(kDeploymentColumns, v, d);
  if (!d.damage)
    assignments +=
        fmt::format(", owner = {}, domain = {}, runner = {}, target = {}, body = {}", v(d.spec.owner), v(d.spec.domain),
                    v(RunnerOf(d.spec)), v(TargetKey(d.spec.batch)), v(json::serialize(ToJson(d.spec))));
  v.Execute(session,
            fmt::format("UPDATE deployments SET {} WHERE deployment_id = {}", assignments, v(d.deployment_id)));
  if (d.damage) return;
  sql::Values roles;
  roles.Execute(session, fmt::format("DELETE FROM deployment_roles WHERE deployment_id = {}", roles(d.deployment_id)));
  WriteRoles(session, d);
}

bool InsertRun(sql::Session& session, const Run& run) {
  sql::Values v;
  return v.Execute(session, Insert("runs", kRunColumns, v, run, {})) == 1;
}

void UpdateRun(sql::Session& session, const Run& run) {
  sql::Values v;
  auto assignments = Assignments(kRunColumns, v, run);
  v.Execute(session, fmt::format("UPDATE runs SET {} WHERE run_id = {}", assignments, v(run.run_id)));
}

}  // namespace slipway::deployments
