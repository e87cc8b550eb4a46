#include "base/format.h"
#include "deployments/lost_answer.h"
#include "deployments/rows.h"
#include "deployments/shared_target.h"
#include "deployments/store.h"

namespace slipway::deployments {
namespace {

/// Each deployment with its newest run.
const std::string& WithLastRun() {
  static const std::string kSelect = fmt::format(
      "SELECT {}, {}, {} FROM deployments d LEFT JOIN runs r ON r.sequence = (SELECT MAX(n.sequence) FROM runs n WHERE "
      "n.deployment_id = d.deployment_id) ",
      Names(kDeploymentColumns, "d"), kSpecColumns, Names(kRunColumns, "r"));
  return kSelect;
}

DeploymentWithRun ReadWithRun(const soci::row& row) {
  DeploymentWithRun both{ReadDeployment(row), std::nullopt};
  if (row.get_indicator(kDeploymentWidth) != soci::i_null) both.last_run = ReadRun(row, kDeploymentWidth);
  return both;
}

bool HasDeployment(sql::Session& session, const std::string& id) {
  long long count = 0;
  session << "SELECT COUNT(*) FROM deployments WHERE deployment_id = :d", soci::use(id), soci::into(count);
  return count > 0;
}

}  // namespace

std::string InScope(const RunnerScope& scope) {
  return fmt::format("COALESCE(d.runner, '{}') = '{}'", scope.is_default ? ToString(scope.kind) : "",
                     ToString(scope.kind));
}

Result<> Store::CreateDeployment(const Deployment& d, const std::optional<Run>& first_run, const Database::Work& also) {
  return WriteAndLookUp(database_, [&](sql::Session& session, bool again) -> Result<> {
    auto stands = [&] { return again && HasDeployment(session, d.deployment_id); };
    if (stands()) return {};
    if (!InsertDeployment(session, d)) {
      if (stands()) return {};
      return Fail(ErrorKind::kConflict, "model '{}' has a deployment named '{}' already", d.model, d.name);
    }
    if (BeginsToReplaceAll(nullptr, d)) TRY(RequireAlone(session, database_.dialect(), d));
    // As if its last run had just been claimed: whoever makes one deployment after another is not always first.
    sql::Values last;
    last.Execute(session,
                 "UPDATE deployments SET claim = (SELECT COALESCE(MAX(t.claim), 0) FROM deployments t) WHERE "
                 "deployment_id = " +
                     last(d.deployment_id));
    if (first_run) {
      InsertRun(session, *first_run);
      TRY(Announce(session, *first_run));
    }
    return also ? also(session) : Result<>();
  });
}

Result<> Store::CheckTarget(const Deployment& deployment) {
  if (!BeginsToReplaceAll(nullptr, deployment)) return {};
  return database_.Write([&](sql::Session& session) { return RequireAlone(session, database_.dialect(), deployment); });
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
    auto query = SelectDeployments() + "WHERE d.deployment_id = " + v(id);
    ASSIGN(found, v.Select<Deployment>(session, query, ReadDeployment));
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
    if (filter.models) {
      std::string names = "NULL";
      for (const auto& model : *filter.models) names += ", " + v(model);
      where += fmt::format(" AND d.model IN ({})", names);
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

Result<Deployment> Store::ChangeDeployment(const std::string& id, const std::function<Result<>(Deployment&)>& change,
                                           const OpenRunsChange& open_runs, const Database::Work& also) {
  Deployment changed;
  TRY(WriteAndLookUp(database_, [&](sql::Session& session, bool again) -> Result<> {
    sql::Values key;
    auto query = SelectDeployments() + "WHERE d.deployment_id = " + key(id) + database_.dialect().for_update;
    ASSIGN(auto found, key.Select<Deployment>(session, query, ReadDeployment));
    if (found.empty()) return Fail(ErrorKind::kNotFound, "no deployment {}", id);
    if (again && found.front() == changed) return {};  // it was made
    changed = found.front();
    TRY(change(changed));
    if (!CanChange(found.front().status, changed.status))
      return Fail(ErrorKind::kConflict, "a deployment that is {} cannot become {}", ToString(found.front().status),
                  ToString(changed.status));
    if (BeginsToReplaceAll(&found.front(), changed)) TRY(RequireAlone(session, database_.dialect(), changed));
    UpdateDeployment(session, changed);
    TRY(ChangeOpenRuns(session, id, open_runs));
    return also ? also(session) : Result<>();
  }));
  return changed;
}

Result<std::vector<Deployment>> Store::DueDeployments(Timestamp now, const RunnerScope& scope) {
  std::vector<Deployment> due;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto query = SelectDeployments() + fmt::format(
                                           "WHERE d.status = 'active' AND d.next_tick IS NOT NULL AND "
                                           "d.next_tick <= {} AND {} ORDER BY d.next_tick LIMIT 1000",
                                           v(now), InScope(scope));
    ASSIGN(due, v.Select<Deployment>(session, query, ReadDeployment));
    return {};
  }));
  return due;
}

Result<std::vector<Deployment>> Store::DagDeployments(const RunnerScope& scope) {
  std::vector<Deployment> found;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values none;
    auto query = SelectDeployments() +
                 fmt::format("WHERE (d.status <> 'archived' AND {}) OR d.dag_digest IS NOT NULL ORDER BY d.sequence",
                             InScope(scope));
    ASSIGN(found, none.Select<Deployment>(session, query, ReadDeployment));
    return {};
  }));
  return found;
}

Result<> Store::ForgetDag(const std::string& id, const RunnerScope& scope) {
  return database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v;
    v.Execute(session,
              fmt::format("UPDATE deployments AS d SET dag_digest = NULL WHERE d.deployment_id = {} AND (d.status = "
                          "'archived' OR NOT {})",
                          v(id), InScope(scope)));
    return {};
  });
}

Result<> Store::CheckWritable() {
  TRY(Hold("write-probe", "", 0));
  return {};
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
