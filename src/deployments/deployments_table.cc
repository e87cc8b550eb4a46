#include <boost/json/serialize.hpp>

#include "base/format.h"
#include "base/json.h"
#include "deployments/lost_answer.h"
#include "deployments/rows.h"
#include "deployments/store.h"

namespace slipway::deployments {
namespace {

/// Each deployment with its newest run.
std::string WithLastRun() {
  return fmt::format(
      "SELECT {}, {} FROM deployments d LEFT JOIN runs r ON r.sequence = (SELECT MAX(n.sequence) FROM runs n WHERE "
      "n.deployment_id = "
      "d.deployment_id) ",
      kDeploymentColumns, kRunColumns);
}

Result<DeploymentWithRun> ReadWithRun(const soci::row& row) {
  DeploymentWithRun both;
  ASSIGN(both.deployment, ReadDeployment(row));
  if (row.get_indicator(kDeploymentColumnCount) != soci::i_null) {
    ASSIGN(both.last_run, ReadRun(row, kDeploymentColumnCount));
  }
  return both;
}

std::string TextIn(const Deployment& d, const char* field) { return std::string(d.body.at(field).as_string()); }

bool HasDeployment(sql::Session& session, const std::string& id) {
  long long count = 0;
  session << "SELECT COUNT(*) FROM deployments WHERE deployment_id = :d", soci::use(id), soci::into(count);
  return count > 0;
}

void WriteRoles(sql::Session& session, const Deployment& d) {
  const auto& roles = d.body.at("allowed_roles");
  if (!roles.is_array()) return;
  for (const auto& role : roles.get_array()) {
    sql::Values v;
    auto statement =
        fmt::format("INSERT INTO deployment_roles (deployment_id, role) VALUES ({}, {}) ON CONFLICT DO NOTHING",
                    v(d.deployment_id), v(std::string_view(role.as_string())));
    v.Execute(session, statement);
  }
}

}  // namespace

Result<> Store::CreateDeployment(const Deployment& d, const std::optional<Run>& first_run, const Database::Work& also) {
  return WriteAndLookUp(database_, [&](sql::Session& session, bool again) -> Result<> {
    auto stands = [&] { return again && HasDeployment(session, d.deployment_id); };
    if (stands()) return {};
    sql::Values v;
    auto statement = fmt::format(
        "INSERT INTO deployments (deployment_id, model, name, status, owner, domain, created_by, body, schedule, "
        "next_tick, "
        "resolved_model_version, created_at, updated_at, dag_id, dag_location, dag_digest) VALUES ({}, {}, {}, {}, {}, "
        "{}, {}, {}, {}, {}, "
        "{}, "
        "{}, {}, {}, {}, {}) ON CONFLICT DO NOTHING",
        v(d.deployment_id), v(d.model), v(d.name), v(ToString(d.status)), v(TextIn(d, "owner")), v(TextIn(d, "domain")),
        v(d.created_by), v(json::serialize(d.body)), v(d.schedule), v(d.next_tick), v(d.resolved_model_version),
        v(d.created_at), v(d.updated_at), v(d.dag_id), v(d.dag_location), v(d.dag_digest));
    if (v.Execute(session, statement) != 1) {
      if (stands()) return {};
      return Fail(ErrorKind::kConflict, "model '{}' has a deployment named '{}' already", d.model, d.name);
    }
    WriteRoles(session, d);
    if (first_run) {
      InsertRun(session, *first_run);
      TRY(QueueWebhooks(session, *first_run));
    }
    return also ? also(session) : Result<>();
  });
}

Result<DeploymentWithRun> Store::FindDeployment(const std::string& model, const std::string& name) {
  std::vector<DeploymentWithRun> found;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto query =
        WithLastRun() + fmt::format("WHERE d.model = {} AND d.name = {} AND d.status <> 'archived'", v(model), v(name));
    ASSIGN(found, v.Select<DeploymentWithRun>(session, query, ReadWithRun));
    return {};
  }));
  if (found.empty()) return Fail(ErrorKind::kNotFound, "model '{}' has no deployment '{}'", model, name);
  return std::move(found.front());
}

Result<Deployment> Store::FindDeploymentById(const std::string& id) {
  std::vector<Deployment> found;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    ASSIGN(found, v.Select<Deployment>(
                      session,
                      fmt::format("SELECT {} FROM deployments d WHERE d.deployment_id = {}", kDeploymentColumns, v(id)),
                      ReadDeployment));
    return {};
  }));
  if (found.empty()) return Fail(ErrorKind::kNotFound, "no deployment {}", id);
  return std::move(found.front());
}

Result<Page<DeploymentWithRun>> Store::ListDeployments(const DeploymentFilter& filter, int limit,
                                                       std::optional<int64_t> cursor) {
  Page<DeploymentWithRun> page;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto where = fmt::format("WHERE d.sequence > {}", v(cursor.value_or(0)));
    if (filter.model) where += fmt::format(" AND d.model = {}", v(*filter.model));
    if (filter.owner) where += fmt::format(" AND d.owner = {}", v(*filter.owner));
    if (filter.domain) where += fmt::format(" AND d.domain = {}", v(*filter.domain));
    where +=
        filter.status ? fmt::format(" AND d.status = {}", v(ToString(*filter.status))) : " AND d.status <> 'archived'";
    if (filter.roles) {
      std::string names = "NULL";
      for (const auto& role : *filter.roles) names += ", " + v(role);
      where += fmt::format(
          " AND EXISTS (SELECT 1 FROM deployment_roles a WHERE a.deployment_id = d.deployment_id AND a.role IN ({}))",
          names);
    }
    auto query = WithLastRun() + where + fmt::format(" ORDER BY d.sequence LIMIT {}", limit + 1);
    ASSIGN(page.items, v.Select<DeploymentWithRun>(session, query, ReadWithRun));
    return {};
  }));
  if (page.items.size() > static_cast<size_t>(limit)) {
    page.items.pop_back();
    page.next = page.items.back().deployment.sequence;
  }
  return page;
}

Result<Deployment> Store::ChangeDeployment(const std::string& id, const std::function<Result<>(Deployment&)>& change) {
  Deployment changed;
  TRY(WriteAndLookUp(database_, [&](sql::Session& session, bool again) -> Result<> {
    sql::Values key;
    ASSIGN(auto found, key.Select<Deployment>(session,
                                              fmt::format("SELECT {} FROM deployments d WHERE d.deployment_id = {}{}",
                                                          kDeploymentColumns, key(id), database_.dialect().for_update),
                                              ReadDeployment));
    if (found.empty()) return Fail(ErrorKind::kNotFound, "no deployment {}", id);
    if (again && found.front() == changed) return {};  // it was made
    changed = found.front();
    TRY(change(changed));
    if (!CanChange(found.front().status, changed.status))
      return Fail(ErrorKind::kConflict, "a deployment that is {} cannot become {}", ToString(found.front().status),
                  ToString(changed.status));
    sql::Values v;
    auto statement = fmt::format(
        "UPDATE deployments SET status = {}, owner = {}, domain = {}, body = {}, schedule = {}, next_tick = {}, "
        "resolved_model_version "
        "= {}, error_message = {}, updated_at = {}, stopped_at = {}, dag_id = {}, dag_location = {}, dag_digest = {}, "
        "dag_written_at = {} "
        "WHERE "
        "deployment_id = {}",
        v(ToString(changed.status)), v(TextIn(changed, "owner")), v(TextIn(changed, "domain")),
        v(json::serialize(changed.body)), v(changed.schedule), v(changed.next_tick), v(changed.resolved_model_version),
        v(changed.error_message), v(changed.updated_at), v(changed.stopped_at), v(changed.dag_id),
        v(changed.dag_location), v(changed.dag_digest), v(changed.dag_written_at), v(id));
    v.Execute(session, statement);
    sql::Values roles;
    roles.Execute(session, fmt::format("DELETE FROM deployment_roles WHERE deployment_id = {}", roles(id)));
    WriteRoles(session, changed);
    return {};
  }));
  return changed;
}

Result<std::vector<Deployment>> Store::DueDeployments(Timestamp now) {
  std::vector<Deployment> due;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    ASSIGN(due,
           v.Select<Deployment>(
               session,
               fmt::format("SELECT {} FROM deployments d WHERE d.status = 'active' AND d.next_tick IS NOT NULL AND "
                           "d.next_tick <= {} ORDER BY d.next_tick LIMIT 1000",
                           kDeploymentColumns, v(now)),
               ReadDeployment));
    return {};
  }));
  return due;
}

Result<std::vector<Deployment>> Store::DagDeployments() {
  std::vector<Deployment> found;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values none;
    ASSIGN(found, none.Select<Deployment>(session,
                                          fmt::format("SELECT {} FROM deployments d WHERE d.status <> 'archived' OR "
                                                      "d.dag_digest IS NOT NULL ORDER BY d.sequence",
                                                      kDeploymentColumns),
                                          ReadDeployment));
    return {};
  }));
  return found;
}

Result<> Store::ForgetDag(const std::string& id) {
  return database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v;
    v.Execute(session,
              fmt::format("UPDATE deployments SET dag_digest = NULL WHERE deployment_id = {} AND status = 'archived'",
                          v(id)));
    return {};
  });
}

Result<bool> Store::Hold(const std::string& what, const std::string& server, int seconds) {
  bool held = false;
  TRY(database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto statement = fmt::format(
        "INSERT INTO holds (what, server, until) VALUES ({0}, {1}, {2} + {3}) ON CONFLICT (what) DO UPDATE SET server "
        "= excluded.server, "
        "until = excluded.until WHERE holds.server = excluded.server OR holds.until < {2}",
        v(what), v(server), database_.dialect().now, int64_t{seconds} * 1'000'000);
    held = v.Execute(session, statement) == 1;
    return {};
  }));
  return held;
}

}  // namespace slipway::deployments
