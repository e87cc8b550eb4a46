#include "base/format.h"
#include "deployments/lost_answer.h"
#include "deployments/rows.h"
#include "deployments/store.h"
#include "deployments/warning.h"

namespace slipway::deployments {
namespace {

Run ReadRunRow(const soci::row& row) { return ReadRun(row); }

/// In words that the partial index `runs_in_progress` is used for: SQLite wants its own condition, literally.
std::string Open(std::string_view table, RunStatus status) {
  return fmt::format("{0}.status IN ('queued', 'running') AND {0}.status = '{1}'", table, ToString(status));
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

/// `run` in the place of `before`, if the state machine allows it.
Result<> WriteChange(sql::Session& session, const Run& before, Run& run) {
  if (!CanChange(before.status, run.status))
    return Fail(ErrorKind::kConflict, "a run that has {} stays so",
                before.status == RunStatus::kSucceeded ? "succeeded" : "failed");
  if (run.status != RunStatus::kRunning) run.leased_by.reset();
  if (run.status != RunStatus::kQueued) run.next_attempt_at.reset();
  UpdateRun(session, run);
  if (run.model_version == before.model_version) return {};
  sql::Values v;
  v.Execute(session, fmt::format("UPDATE deployments SET resolved_model_version = {} WHERE deployment_id = {}",
                                 v(run.model_version), v(run.deployment_id)));
  return {};
}

/// kConflict where the deployment has more runs queued than it may, now that `added` are among them.
Result<> RequireQuota(sql::Session& session, const std::vector<Run>& added, int64_t most) {
  if (added.empty() || added.front().cause == RunCause::kAirflow) return {};
  long long queued = 0;
  session << "SELECT COUNT(*) FROM runs r WHERE r.deployment_id = :d AND r.status = 'queued'",
      soci::use(added.front().deployment_id), soci::into(queued);
  if (queued <= most) return {};
  return Fail(ErrorKind::kConflict,
              "the deployment may have {} runs queued, and {} of them are there already: wait until some have run, or "
              "cancel them",
              most, queued - static_cast<long long>(added.size()));
}

bool HasRun(sql::Session& session, const std::string& run_id) {
  long long count = 0;
  session << "SELECT COUNT(*) FROM runs WHERE run_id = :r", soci::use(run_id), soci::into(count);
  return count > 0;
}

}  // namespace

Result<> Store::CreateRuns(const std::vector<Run>& runs, const Database::Work& also) {
  return WriteAndLookUp(database_, [&](sql::Session& session, bool again) -> Result<> {
    if (again && !runs.empty() && HasRun(session, runs.front().run_id)) return {};  // they were made, with `also`
    for (auto run : runs) {
      auto stands = [&] { return again && HasRun(session, run.run_id); };
      if (stands()) continue;
      auto allowed =
          run.cause == RunCause::kAirflow ? Result<>() : RequireActive(session, database_.dialect(), run.deployment_id);
      TRY(Warn(session, run));
      if (allowed && !InsertRun(session, run))
        allowed = Fail(ErrorKind::kConflict, "the deployment has that run already");
      if (!allowed && stands()) continue;
      TRY(allowed);
      TRY(Announce(session, run));
    }
    TRY(RequireQuota(session, runs, most_queued_));
    return also ? also(session) : Result<>();
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
      if (InsertRun(session, run)) TRY(Announce(session, run));
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

Result<std::vector<Run>> Store::OpenRuns(const RunnerScope& scope) {
  std::vector<Run> found;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values none;
    auto where = fmt::format(
        "r.status IN ('queued', 'running') AND EXISTS (SELECT 1 FROM deployments d WHERE d.deployment_id = "
        "r.deployment_id AND ({} OR d.dag_digest IS NOT NULL)) ORDER BY r.sequence",
        InScope(scope));
    ASSIGN(found, none.Select<Run>(session, SelectRuns(where), ReadRunRow));
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

Result<int64_t> Store::CountOpenRuns(RunStatus status) {
  long long count = 0;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    session << "SELECT COUNT(*) FROM runs r WHERE " + Open("r", status), soci::into(count);
    return {};
  }));
  return count;
}

Result<double> Store::QueueAge(Timestamp now) {
  long long oldest = 0;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    session << "SELECT COALESCE(MIN(r.queued_at), 0) FROM runs r WHERE " + Open("r", RunStatus::kQueued),
        soci::into(oldest);
    return {};
  }));
  return oldest == 0 ? 0.0 : static_cast<double>(sql::Micros(now) - oldest) / 1e6;
}

/// Those whose end somebody is to be told are read first.
Result<> Store::EndUntouched(sql::Session& session, const std::string& deployment_id, const OpenRunsChange::End& end) {
  constexpr auto kUntouched =
      "status = 'queued' AND started_at IS NULL AND leased_by IS NULL AND airflow_run_id IS NULL";
  std::vector<Run> told;
  if (announce_) {
    sql::Values key;
    auto where = fmt::format("r.deployment_id = {} AND {} ORDER BY r.sequence{}", key(deployment_id), kUntouched,
                             database_.dialect().for_update);
    ASSIGN(told, key.Select<Run>(session, SelectRuns(where), ReadRunRow));
  }
  sql::Values v;
  v.Execute(session, fmt::format("UPDATE runs SET status = 'failed', cancelled_by = {}, error_message = {}, "
                                 "finished_at = {} WHERE deployment_id = {} AND {}",
                                 v(end.cancelled_by), v(end.why), v(end.at), v(deployment_id), kUntouched));
  for (auto& run : told) {
    run.status = RunStatus::kFailed;
    run.cancelled_by = end.cancelled_by;
    run.error_message = end.why;
    run.finished_at = end.at;
    TRY(Announce(session, run));
  }
  return {};
}

Result<> Store::ChangeOpenRuns(sql::Session& session, const std::string& deployment_id, const OpenRunsChange& change) {
  if (change.untouched) TRY(EndUntouched(session, deployment_id, *change.untouched));
  if (!change.each) return {};
  sql::Values key;
  auto where = fmt::format("r.deployment_id = {} AND r.status IN ('queued', 'running') ORDER BY r.sequence{}",
                           key(deployment_id), database_.dialect().for_update);
  ASSIGN(auto open, key.Select<Run>(session, SelectRuns(where), ReadRunRow));
  for (auto& run : open) {
    auto before = run;
    TRY(change.each(run));
    if (run == before) continue;
    TRY(WriteChange(session, before, run));
    if (run.status != before.status) TRY(Announce(session, run));
  }
  return {};
}

Result<Run> Store::ChangeRun(const std::string& run_id, const std::function<Result<>(Run&)>& change,
                             const Database::Work& also) {
  Run changed;
  TRY(WriteAndLookUp(database_, [&](sql::Session& session, bool again) -> Result<> {
    sql::Values key;
    ASSIGN(
        auto found,
        key.Select<Run>(session, SelectRuns("r.run_id = " + key(run_id)) + database_.dialect().for_update, ReadRunRow));
    if (found.empty()) return Fail(ErrorKind::kNotFound, "no run {}", run_id);
    if (again && found.front() == changed) return {};  // it was made
    changed = found.front();
    TRY(change(changed));
    TRY(Warn(session, changed));
    TRY(WriteChange(session, found.front(), changed));
    if (changed.status != found.front().status) TRY(Announce(session, changed));
    return also ? also(session) : Result<>();
  }));
  return changed;
}

Result<std::optional<Run>> Store::ClaimRun(const std::string& server, int lease_seconds, Timestamp now,
                                           const RunnerScope& scope) {
  std::optional<Run> claimed;
  auto done = database_.Write([&](sql::Session& session) -> Result<> {
    claimed.reset();
    sql::Values when;
    auto where = fmt::format(
        "r.sequence IN (SELECT MIN(q.sequence) FROM runs q WHERE q.status = 'queued' AND q.cause <> 'airflow' AND "
        "(q.next_attempt_at IS NULL OR q.next_attempt_at <= {}) GROUP BY q.deployment_id) AND NOT EXISTS (SELECT 1 "
        "FROM runs o WHERE {} AND o.deployment_id = r.deployment_id) AND "
        "EXISTS (SELECT 1 FROM deployments d WHERE d.deployment_id = r.deployment_id AND {} AND (r.started_at IS NOT "
        "NULL OR d.status NOT IN ('stopped', 'archived'))) ORDER BY (SELECT COALESCE(t.claim, 0) FROM deployments t "
        "WHERE t.deployment_id = r.deployment_id), r.sequence LIMIT 1",
        when(now), Open("o", RunStatus::kRunning), InScope(scope));
    ASSIGN(auto found, when.Select<Run>(session, SelectRuns(where), ReadRunRow));
    if (found.empty()) return {};
    Run run = found.front();
    run.status = RunStatus::kRunning;
    ++run.attempt;
    run.leased_by = server;
    run.next_attempt_at.reset();
    if (!run.started_at) run.started_at = now;
    sql::Values v;
    auto statement = fmt::format(
        "UPDATE runs SET status = 'running', attempt = {}, started_at = {}, leased_by = {}, leased_until = {} + {}, "
        "next_attempt_at = NULL WHERE run_id = {} AND status = 'queued'",
        v(run.attempt), v(run.started_at), v(run.leased_by), database_.dialect().now,
        int64_t{lease_seconds} * 1'000'000, v(run.run_id));
    if (v.Execute(session, statement) != 1) return {};
    sql::Values last;
    last.Execute(session, fmt::format("UPDATE deployments SET claim = (SELECT COALESCE(MAX(t.claim), 0) + 1 FROM "
                                      "deployments t) WHERE deployment_id = {}",
                                      last(run.deployment_id)));
    TRY(Announce(session, run));
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

}  // namespace slipway::deployments
