#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/format.h"
#include "base/ids.h"
#include "base/json.h"
#include "deployments/lost_answer.h"
#include "deployments/rows.h"
#include "deployments/store.h"
#include "webhooks/outbox.h"

namespace slipway::deployments {
namespace {

Result<Run> ReadRunRow(const soci::row& row) { return ReadRun(row); }

std::string SelectRuns(std::string_view where) {
  return fmt::format("SELECT {} FROM runs r WHERE {}", kRunColumns, where);
}

/// kConflict unless the deployment is active, and stays so until the end of the transaction: whoever stops or archives
/// it then sees the run that is added next.
Result<> RequireActive(sql::Session& session, const Dialect& dialect, const std::string& deployment_id) {
  sql::Values v;
  auto query = fmt::format("SELECT d.status FROM deployments d WHERE d.deployment_id = {}{}", v(deployment_id),
                           dialect.for_update);
  ASSIGN(auto found, v.Select<std::string>(session, query, [](const soci::row& row) { return *sql::Text(row, 0); }));
  if (found.empty()) return Fail(ErrorKind::kNotFound, "no deployment {}", deployment_id);
  if (found.front() == ToString(DeploymentStatus::kActive)) return {};
  return Fail(ErrorKind::kConflict, "the deployment is {}, not active", found.front());
}

bool HasRun(sql::Session& session, const std::string& run_id) {
  long long count = 0;
  session << "SELECT COUNT(*) FROM runs WHERE run_id = :r", soci::use(run_id), soci::into(count);
  return count > 0;
}

}  // namespace

Result<> Store::CreateRuns(const std::vector<Run>& runs) {
  return WriteAndLookUp(database_, [&](sql::Session& session, bool again) -> Result<> {
    for (const auto& run : runs) {
      auto stands = [&] { return again && HasRun(session, run.run_id); };
      if (stands()) continue;
      auto allowed =
          run.cause == RunCause::kAirflow ? Result<>() : RequireActive(session, database_.dialect(), run.deployment_id);
      if (allowed && !InsertRun(session, run))
        allowed = Fail(ErrorKind::kConflict, "the deployment has that run already");
      if (!allowed && stands()) continue;
      TRY(allowed);
      TRY(QueueWebhooks(session, run));
    }
    return {};
  });
}

Result<bool> Store::FireTick(const Deployment& deployment, std::optional<Timestamp> next_tick,
                             const std::vector<Run>& runs) {
  bool fired = false;
  TRY(database_.Write([&](sql::Session& session) -> Result<> {
    fired = false;
    sql::Values v;
    auto statement = fmt::format(
        "UPDATE deployments SET next_tick = {} WHERE deployment_id = {} AND next_tick = {} AND updated_at = {} AND "
        "status = 'active'",
        v(next_tick), v(deployment.deployment_id), v(deployment.next_tick), v(deployment.updated_at));
    if (v.Execute(session, statement) != 1) return {};
    for (const auto& run : runs)
      if (InsertRun(session, run)) TRY(QueueWebhooks(session, run));
    fired = true;
    return {};
  }));
  return fired;
}

Result<Run> Store::FindRun(const std::string& run_id) {
  std::vector<Run> found;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    ASSIGN(found, v.Select<Run>(session, SelectRuns("r.run_id = " + v(run_id)), ReadRunRow));
    return {};
  }));
  if (found.empty()) return Fail(ErrorKind::kNotFound, "no run {}", run_id);
  return std::move(found.front());
}

Result<std::optional<Run>> Store::FindAirflowRun(const std::string& deployment_id, const std::string& airflow_run_id) {
  std::vector<Run> found;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto where = fmt::format("r.deployment_id = {} AND r.airflow_run_id = {} ORDER BY r.sequence DESC LIMIT 1",
                             v(deployment_id), v(airflow_run_id));
    ASSIGN(found, v.Select<Run>(session, SelectRuns(where), ReadRunRow));
    return {};
  }));
  return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

Result<std::vector<Run>> Store::OpenRuns() {
  std::vector<Run> found;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values none;
    ASSIGN(found,
           none.Select<Run>(session, SelectRuns("r.status IN ('queued', 'running') ORDER BY r.sequence"), ReadRunRow));
    return {};
  }));
  return found;
}

Result<Page<Run>> Store::ListRuns(const std::string& deployment_id, int limit, std::optional<int64_t> cursor) {
  Page<Run> page;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto where = fmt::format("r.deployment_id = {} AND r.sequence < {} ORDER BY r.sequence DESC LIMIT {}",
                             v(deployment_id), v(cursor.value_or(INT64_MAX)), limit + 1);
    ASSIGN(page.items, v.Select<Run>(session, SelectRuns(where), ReadRunRow));
    return {};
  }));
  if (page.items.size() > static_cast<size_t>(limit)) {
    page.items.pop_back();
    page.next = page.items.back().sequence;
  }
  return page;
}

Result<std::set<Timestamp>> Store::CoveredDates(const std::string& deployment_id, Timestamp from, Timestamp to) {
  std::vector<Run> found;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto where =
        fmt::format("r.deployment_id = {} AND r.logical_date >= {} AND r.logical_date <= {} AND r.status <> 'failed'",
                    v(deployment_id), v(from), v(to));
    ASSIGN(found, v.Select<Run>(session, SelectRuns(where), ReadRunRow));
    return {};
  }));
  std::set<Timestamp> dates;
  for (const auto& run : found) dates.insert(run.logical_date);
  return dates;
}

Result<int64_t> Store::CountRuns(RunStatus status) {
  long long count = 0;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    std::string text(ToString(status));
    session << "SELECT COUNT(*) FROM runs WHERE status = :s", soci::use(text), soci::into(count);
    return {};
  }));
  return count;
}

Result<double> Store::QueueAge(Timestamp now) {
  long long oldest = 0;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    session << "SELECT COALESCE(MIN(queued_at), 0) FROM runs WHERE status = 'queued'", soci::into(oldest);
    return {};
  }));
  return oldest == 0 ? 0.0 : static_cast<double>(sql::Micros(now) - oldest) / 1e6;
}

Result<Run> Store::ChangeRun(const std::string& run_id, const std::function<Result<>(Run&)>& change) {
  Run changed;
  TRY(WriteAndLookUp(database_, [&](sql::Session& session, bool again) -> Result<> {
    sql::Values key;
    ASSIGN(
        auto found,
        key.Select<Run>(session, SelectRuns("r.run_id = " + key(run_id)) + database_.dialect().for_update, ReadRunRow));
    if (found.empty()) return Fail(ErrorKind::kNotFound, "no run {}", run_id);
    const Run& before = found.front();
    if (again && before == changed) return {};  // it was made
    changed = before;
    TRY(change(changed));
    if (!CanChange(before.status, changed.status))
      return Fail(ErrorKind::kConflict, "a run that has {} stays so",
                  before.status == RunStatus::kSucceeded ? "succeeded" : "failed");
    if (changed.status != RunStatus::kRunning) changed.leased_by.reset();
    sql::Values v;
    auto statement = fmt::format(
        "UPDATE runs SET status = {}, attempt = {}, rows_scored = {}, snapshot_id = {}, model_version = {}, "
        "airflow_run_id = {}, "
        "error_message = {}, started_at = {}, finished_at = {}, cancelled_by = {}, leased_by = {} WHERE run_id = {}",
        v(ToString(changed.status)), v(changed.attempt), v(changed.rows_scored), v(changed.snapshot_id),
        v(changed.model_version), v(changed.airflow_run_id), v(changed.error_message), v(changed.started_at),
        v(changed.finished_at), v(changed.cancelled_by), v(changed.leased_by), v(run_id));
    v.Execute(session, statement);
    if (changed.model_version != before.model_version) {
      sql::Values d;
      d.Execute(session, fmt::format("UPDATE deployments SET resolved_model_version = {} WHERE deployment_id = {}",
                                     d(changed.model_version), d(changed.deployment_id)));
    }
    if (changed.status != before.status) TRY(QueueWebhooks(session, changed));
    return {};
  }));
  return changed;
}

Result<std::optional<Run>> Store::ClaimRun(const std::string& server, int lease_seconds, Timestamp now) {
  std::optional<Run> claimed;
  auto done = database_.Write([&](sql::Session& session) -> Result<> {
    claimed.reset();
    sql::Values none;
    auto where =
        "r.status = 'queued' AND r.cause <> 'airflow' AND NOT EXISTS (SELECT 1 FROM runs o WHERE o.status = 'running' "
        "AND o.deployment_id = r.deployment_id) AND (r.started_at IS NOT NULL OR EXISTS (SELECT 1 FROM deployments d "
        "WHERE d.deployment_id = r.deployment_id AND d.status NOT IN ('stopped', 'archived'))) "
        "ORDER BY r.sequence LIMIT 1";
    ASSIGN(auto found, none.Select<Run>(session, SelectRuns(where), ReadRunRow));
    if (found.empty()) return {};
    Run run = found.front();
    run.status = RunStatus::kRunning;
    ++run.attempt;
    run.leased_by = server;
    if (!run.started_at) run.started_at = now;
    sql::Values v;
    auto statement = fmt::format(
        "UPDATE runs SET status = 'running', attempt = {}, started_at = {}, leased_by = {}, leased_until = {} + {} "
        "WHERE run_id = {} AND "
        "status = 'queued'",
        v(run.attempt), v(run.started_at), v(run.leased_by), database_.dialect().now,
        int64_t{lease_seconds} * 1'000'000, v(run.run_id));
    if (v.Execute(session, statement) != 1) return {};
    TRY(QueueWebhooks(session, run));
    claimed = std::move(run);
    return {};
  });
  // Another server was quicker with a run of the same deployment.
  if (!done && done.error().kind == ErrorKind::kConflict) return std::nullopt;
  TRY(done);
  return claimed;
}

Result<std::vector<Run>> Store::RenewLeases(const std::string& server, int lease_seconds) {
  std::vector<Run> held;
  TRY(database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v;
    v.Execute(session, fmt::format("UPDATE runs SET leased_until = {} + {} WHERE leased_by = {}",
                                   database_.dialect().now, int64_t{lease_seconds} * 1'000'000, v(server)));
    sql::Values key;
    ASSIGN(held, key.Select<Run>(session, SelectRuns("r.leased_by = " + key(server)), ReadRunRow));
    return {};
  }));
  return held;
}

Result<std::vector<Run>> Store::TakeOver(const std::string& server, int lease_seconds, bool all) {
  std::vector<Run> taken;
  TRY(database_.Write([&](sql::Session& session) -> Result<> {
    taken.clear();
    sql::Values key;
    auto expired = all ? std::string("TRUE") : "r.leased_until < " + database_.dialect().now;
    auto where = fmt::format("r.leased_by IS NOT NULL AND r.leased_by <> {} AND {}{}", key(server), expired,
                             database_.dialect().for_update);
    ASSIGN(taken, key.Select<Run>(session, SelectRuns(where), ReadRunRow));
    for (auto& run : taken) {
      run.leased_by = server;
      sql::Values v;
      v.Execute(session,
                fmt::format("UPDATE runs SET leased_by = {}, leased_until = {} + {} WHERE run_id = {}", v(server),
                            database_.dialect().now, int64_t{lease_seconds} * 1'000'000, v(run.run_id)));
    }
    return {};
  }));
  return taken;
}

Result<> Store::ReportProgress(const std::string& run_id, int64_t rows_scored) {
  return database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v;
    v.Execute(session, fmt::format("UPDATE runs SET rows_scored = {} WHERE run_id = {} AND status = 'running'",
                                   v(rows_scored), v(run_id)));
    return {};
  });
}

/// The outbox: what people page on is queued in the transaction that makes it true.
Result<> Store::QueueWebhooks(sql::Session& session, const Run& run) {
  auto event = fmt::format("run.{}", ToString(run.status));
  if (std::ranges::none_of(webhooks_, [&](const auto& webhook) { return webhook.second.contains(event); })) return {};
  sql::Values key;
  ASSIGN(auto found, key.Select<Deployment>(session,
                                            fmt::format("SELECT {} FROM deployments d WHERE d.deployment_id = {}",
                                                        kDeploymentColumns, key(run.deployment_id)),
                                            ReadDeployment));
  if (found.empty()) return {};
  auto at = run.finished_at.value_or(run.started_at.value_or(run.queued_at));
  json::object body{{"event", event},
                    {"deployment_id", run.deployment_id},
                    {"model", found.front().model},
                    {"deployment", found.front().name},
                    {"owner", found.front().body.at("owner")},
                    {"domain", found.front().body.at("domain")},
                    {"run_id", run.run_id},
                    {"status", ToString(run.status)},
                    {"logical_date", FormatTimestamp(run.logical_date)},
                    {"at", FormatTimestamp(at)},
                    {"attempt", run.attempt},
                    {"rows_scored", run.rows_scored ? json::value(*run.rows_scored) : json::value(nullptr)},
                    {"error_message", run.error_message ? json::value(*run.error_message) : json::value(nullptr)}};
  for (const auto& [webhook, events] : webhooks_) {
    if (!events.contains(event)) continue;
    auto id = NewUuid();
    body["delivery_id"] = id;
    TRY(webhooks::Queue(session, database_.dialect(),
                        {.delivery_id = id, .webhook = webhook, .event = event, .body = json::serialize(body)}));
  }
  return {};
}

}  // namespace slipway::deployments
