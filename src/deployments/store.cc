#include "deployments/store.h"

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <boost/json/serialize.hpp>
#include <mutex>

#include "base/format.h"
#include "base/json.h"

namespace slipway::deployments {
namespace {

/// Each is applied once, in order; `PRAGMA user_version` counts them. Never edit one that was released: add another.
constexpr const char* kMigrations[] = {
    R"(CREATE TABLE deployments (
         sequence INTEGER PRIMARY KEY AUTOINCREMENT, deployment_id TEXT NOT NULL UNIQUE, model TEXT NOT NULL, name TEXT NOT NULL,
         status TEXT NOT NULL, owner TEXT NOT NULL, domain TEXT NOT NULL, body TEXT NOT NULL, schedule TEXT, next_tick BIGINT,
         resolved_model_version TEXT, error_message TEXT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL))",
    "CREATE UNIQUE INDEX deployment_names ON deployments (model, name) WHERE status <> 'archived'",
    "CREATE INDEX deployment_ticks ON deployments (next_tick) WHERE status = 'active' AND next_tick IS NOT NULL",
    R"(CREATE TABLE runs (
         sequence INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL UNIQUE,
         deployment_id TEXT NOT NULL REFERENCES deployments (deployment_id), logical_date BIGINT NOT NULL, status TEXT NOT NULL,
         attempt BIGINT NOT NULL, rows_scored BIGINT, snapshot_id BIGINT, model_version TEXT, error_message TEXT,
         started_at BIGINT, finished_at BIGINT))",
    "CREATE INDEX runs_of_deployment ON runs (deployment_id, sequence)",
    "CREATE INDEX runs_in_progress ON runs (status, sequence) WHERE status IN ('queued', 'running')",
};

constexpr auto kDeploymentColumns =
    "sequence, deployment_id, model, name, status, body, schedule, next_tick, resolved_model_version, error_message, created_at, "
    "updated_at ";
constexpr auto kRunColumns =
    "sequence, run_id, deployment_id, logical_date, status, attempt, rows_scored, snapshot_id, model_version, error_message, started_at, "
    "finished_at ";

int64_t Micros(Timestamp t) { return t.time_since_epoch().count(); }
Timestamp FromMicros(int64_t micros) { return Timestamp{std::chrono::microseconds{micros}}; }

std::optional<int64_t> Number(const soci::row& row, size_t i) {
  if (row.get_indicator(i) == soci::i_null) return std::nullopt;
  if (row.get_properties(i).get_data_type() == soci::dt_integer) return row.get<int>(i);
  return row.get<long long>(i);
}

std::optional<std::string> Text(const soci::row& row, size_t i) {
  if (row.get_indicator(i) == soci::i_null) return std::nullopt;
  return row.get<std::string>(i);
}

std::optional<Timestamp> Time(const soci::row& row, size_t i) {
  auto micros = Number(row, i);
  return micros ? std::optional(FromMicros(*micros)) : std::nullopt;
}

Result<Deployment> ReadDeployment(const soci::row& row) {
  Deployment d;
  d.sequence = *Number(row, 0);
  d.deployment_id = *Text(row, 1);
  d.model = *Text(row, 2);
  d.name = *Text(row, 3);
  ASSIGN(d.status, ParseDeploymentStatus(*Text(row, 4)));
  ASSIGN(auto body, ParseJson(*Text(row, 5)));
  d.body = body.as_object();
  d.schedule = Text(row, 6);
  d.next_tick = Time(row, 7);
  d.resolved_model_version = Text(row, 8);
  d.error_message = Text(row, 9);
  d.created_at = *Time(row, 10);
  d.updated_at = *Time(row, 11);
  return d;
}

Result<Run> ReadRun(const soci::row& row) {
  Run r;
  r.sequence = *Number(row, 0);
  r.run_id = *Text(row, 1);
  r.deployment_id = *Text(row, 2);
  r.logical_date = *Time(row, 3);
  ASSIGN(r.status, ParseRunStatus(*Text(row, 4)));
  r.attempt = static_cast<int>(*Number(row, 5));
  r.rows_scored = Number(row, 6);
  r.snapshot_id = Number(row, 7);
  r.model_version = Text(row, 8);
  r.error_message = Text(row, 9);
  r.started_at = Time(row, 10);
  r.finished_at = Time(row, 11);
  return r;
}

/// A value to bind, or NULL.
template <typename T>
struct Bound {
  T value{};
  soci::indicator indicator = soci::i_null;
  Bound() = default;
  explicit Bound(const std::optional<T>& from) {
    if (!from) return;
    value = *from;
    indicator = soci::i_ok;
  }
};
Bound<long long> BindTime(const std::optional<Timestamp>& t) {
  return Bound<long long>(t ? std::optional<long long>(Micros(*t)) : std::nullopt);
}

}  // namespace

struct Store::Session {
  std::mutex mutex;
  soci::session sql;

  explicit Session(const std::string& file) : sql(soci::sqlite3, "dbname=" + file + " timeout=30") {
    sql << "PRAGMA journal_mode = WAL";
    sql << "PRAGMA synchronous = FULL";
    sql << "PRAGMA foreign_keys = ON";
    int version = 0;
    sql << "PRAGMA user_version", soci::into(version);
    for (size_t i = static_cast<size_t>(version); i < std::size(kMigrations); ++i) {
      soci::transaction transaction(sql);
      sql << kMigrations[i];
      sql << "PRAGMA user_version = " << i + 1;
      transaction.commit();
    }
  }

  /// Runs `work` alone; SOCI's exceptions become errors.
  template <typename F>
  auto Do(F&& work) -> decltype(work()) {
    std::lock_guard lock(mutex);
    try {
      return work();
    } catch (const soci::sqlite3_soci_error& error) {
      auto kind = error.result() == SQLITE_BUSY         ? ErrorKind::kUnavailable
                  : error.result() == SQLITE_CONSTRAINT ? ErrorKind::kConflict
                                                        : ErrorKind::kIo;
      return Fail(kind, "the store: {}", error.what());
    } catch (const std::exception& error) {
      return Fail(ErrorKind::kIo, "the store: {}", error.what());
    }
  }

  template <typename T, typename F, typename... Binds>
  Result<std::vector<T>> Select(const std::string& query, F&& read, Binds&&... binds) {
    soci::rowset<soci::row> rows = (sql.prepare << query, ..., std::forward<Binds>(binds));
    std::vector<T> items;
    for (const auto& row : rows) {
      ASSIGN(auto item, read(row));
      items.push_back(std::move(item));
    }
    return items;
  }
};

Store::Store(std::unique_ptr<Session> session) : session_(std::move(session)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::Open(const std::string& file) {
  try {
    return std::unique_ptr<Store>(new Store(std::make_unique<Session>(file)));
  } catch (const std::exception& error) {
    return Fail(ErrorKind::kIo, "open the store {}: {}", file, error.what());
  }
}

Result<> Store::CreateDeployment(const Deployment& d) {
  return session_->Do([&]() -> Result<> {
    std::string status(ToString(d.status)), body = json::serialize(d.body);
    std::string owner(d.body.at("owner").as_string()), domain(d.body.at("domain").as_string());
    Bound<std::string> schedule(d.schedule), version(d.resolved_model_version);
    auto next_tick = BindTime(d.next_tick);
    long long created = Micros(d.created_at), updated = Micros(d.updated_at);
    soci::statement insert =
        (session_->sql.prepare
             << "INSERT OR IGNORE INTO deployments (deployment_id, model, name, status, owner, domain, body, schedule, "
                "next_tick, resolved_model_version, created_at, updated_at) VALUES (:i, :m, :n, :s, :o, :d, :b, :c, :t, :v, :x, :y)",
         soci::use(d.deployment_id), soci::use(d.model), soci::use(d.name), soci::use(status), soci::use(owner), soci::use(domain),
         soci::use(body), soci::use(schedule.value, schedule.indicator), soci::use(next_tick.value, next_tick.indicator),
         soci::use(version.value, version.indicator), soci::use(created), soci::use(updated));
    insert.execute(true);
    if (insert.get_affected_rows() != 1)
      return Fail(ErrorKind::kConflict, "model '{}' has a deployment named '{}' already", d.model, d.name);
    return {};
  });
}

Result<Deployment> Store::FindDeployment(const std::string& model, const std::string& name) {
  return session_->Do([&]() -> Result<Deployment> {
    ASSIGN(auto found, session_->Select<Deployment>(std::string("SELECT ") + kDeploymentColumns +
                                                        "FROM deployments WHERE model = :m AND name = :n AND status <> 'archived'",
                                                    ReadDeployment, soci::use(model), soci::use(name)));
    if (found.empty()) return Fail(ErrorKind::kNotFound, "model '{}' has no deployment '{}'", model, name);
    return std::move(found.front());
  });
}

Result<Deployment> Store::FindDeploymentById(const std::string& id) {
  return session_->Do([&]() -> Result<Deployment> {
    ASSIGN(auto found,
           session_->Select<Deployment>(std::string("SELECT ") + kDeploymentColumns + "FROM deployments WHERE deployment_id = :i",
                                        ReadDeployment, soci::use(id)));
    if (found.empty()) return Fail(ErrorKind::kNotFound, "no deployment {}", id);
    return std::move(found.front());
  });
}

Result<Page<Deployment>> Store::ListDeployments(const DeploymentFilter& filter, int limit, std::optional<int64_t> cursor) {
  return session_->Do([&]() -> Result<Page<Deployment>> {
    Bound<std::string> model(filter.model), owner(filter.owner), domain(filter.domain);
    Bound<std::string> status(filter.status ? std::optional(std::string(ToString(*filter.status))) : std::nullopt);
    long long after = cursor.value_or(0);
    int more = limit + 1;
    ASSIGN(auto found, session_->Select<Deployment>(
                           std::string("SELECT ") + kDeploymentColumns +
                               "FROM deployments WHERE sequence > :a AND (:m IS NULL OR model = :m) AND (:o IS NULL OR owner = :o) AND "
                               "(:d IS NULL OR domain = :d) AND CASE WHEN :s IS NULL THEN status <> 'archived' ELSE status = :s END "
                               "ORDER BY sequence LIMIT :l",
                           ReadDeployment, soci::use(after, "a"), soci::use(model.value, model.indicator, "m"),
                           soci::use(owner.value, owner.indicator, "o"), soci::use(domain.value, domain.indicator, "d"),
                           soci::use(status.value, status.indicator, "s"), soci::use(more, "l")));
    Page<Deployment> page{std::move(found), std::nullopt};
    if (page.items.size() > static_cast<size_t>(limit)) {
      page.items.pop_back();
      page.next = page.items.back().sequence;
    }
    return page;
  });
}

Result<std::vector<Deployment>> Store::DueDeployments(Timestamp now) {
  return session_->Do([&]() -> Result<std::vector<Deployment>> {
    long long micros = Micros(now);
    return session_->Select<Deployment>(std::string("SELECT ") + kDeploymentColumns +
                                            "FROM deployments WHERE status = 'active' AND next_tick IS NOT NULL AND next_tick <= :n",
                                        ReadDeployment, soci::use(micros));
  });
}

Result<> Store::CreateRun(const Run& run, std::optional<Timestamp> next_tick) {
  return session_->Do([&]() -> Result<> {
    soci::transaction transaction(session_->sql);
    long long logical_date = Micros(run.logical_date);
    session_->sql << "INSERT INTO runs (run_id, deployment_id, logical_date, status, attempt) VALUES (:r, :d, :l, 'queued', 0)",
        soci::use(run.run_id), soci::use(run.deployment_id), soci::use(logical_date);
    if (next_tick) {
      long long tick = Micros(*next_tick);
      session_->sql << "UPDATE deployments SET next_tick = :t WHERE deployment_id = :d", soci::use(tick), soci::use(run.deployment_id);
    }
    transaction.commit();
    return {};
  });
}

Result<Run> Store::FindRun(const std::string& run_id) {
  return session_->Do([&]() -> Result<Run> {
    ASSIGN(auto found,
           session_->Select<Run>(std::string("SELECT ") + kRunColumns + "FROM runs WHERE run_id = :r", ReadRun, soci::use(run_id)));
    if (found.empty()) return Fail(ErrorKind::kNotFound, "no run {}", run_id);
    return std::move(found.front());
  });
}

Result<std::optional<Run>> Store::LastRun(const std::string& deployment_id) {
  ASSIGN(auto page, ListRuns(deployment_id, 1, std::nullopt));
  if (page.items.empty()) return std::nullopt;
  return std::move(page.items.front());
}

Result<Page<Run>> Store::ListRuns(const std::string& deployment_id, int limit, std::optional<int64_t> cursor) {
  return session_->Do([&]() -> Result<Page<Run>> {
    long long before = cursor.value_or(INT64_MAX);
    int more = limit + 1;
    ASSIGN(auto found, session_->Select<Run>(std::string("SELECT ") + kRunColumns +
                                                 "FROM runs WHERE deployment_id = :d AND sequence < :b ORDER BY sequence DESC LIMIT :l",
                                             ReadRun, soci::use(deployment_id), soci::use(before), soci::use(more)));
    Page<Run> page{std::move(found), std::nullopt};
    if (page.items.size() > static_cast<size_t>(limit)) {
      page.items.pop_back();
      page.next = page.items.back().sequence;
    }
    return page;
  });
}

Result<std::vector<Run>> Store::RunsInStatus(RunStatus status) {
  return session_->Do([&]() -> Result<std::vector<Run>> {
    std::string text(ToString(status));
    return session_->Select<Run>(std::string("SELECT ") + kRunColumns + "FROM runs WHERE status = :s ORDER BY sequence", ReadRun,
                                 soci::use(text));
  });
}

Result<std::optional<Run>> Store::NextQueuedRun() {
  return session_->Do([&]() -> Result<std::optional<Run>> {
    ASSIGN(auto found,
           session_->Select<Run>(std::string("SELECT ") + kRunColumns +
                                     "FROM runs q WHERE status = 'queued' AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.status = "
                                     "'running' AND r.deployment_id = q.deployment_id) ORDER BY sequence LIMIT 1",
                                 ReadRun));
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
  });
}

Result<> Store::ChangeRun(const std::string& run_id, const RunChange& change) {
  return session_->Do([&]() -> Result<> {
    soci::transaction transaction(session_->sql);
    ASSIGN(auto found,
           session_->Select<Run>(std::string("SELECT ") + kRunColumns + "FROM runs WHERE run_id = :r", ReadRun, soci::use(run_id)));
    if (found.empty()) return Fail(ErrorKind::kNotFound, "no run {}", run_id);
    const auto& run = found.front();
    if (!CanChange(run.status, change.status))
      return Fail(ErrorKind::kConflict, "a run that is {} cannot become {}", ToString(run.status), ToString(change.status));
    std::string status(ToString(change.status));
    long long attempt = change.attempt.value_or(run.attempt);
    Bound<long long> rows(change.rows_scored ? std::optional<long long>(*change.rows_scored) : std::nullopt);
    Bound<long long> snapshot(change.snapshot_id ? std::optional<long long>(*change.snapshot_id) : std::nullopt);
    Bound<std::string> version(change.model_version), error(change.error_message);
    auto started = BindTime(change.started_at), finished = BindTime(change.finished_at);
    session_->sql
        << "UPDATE runs SET status = :s, attempt = :a, rows_scored = COALESCE(:r, rows_scored), snapshot_id = COALESCE(:p, snapshot_id), "
           "model_version = COALESCE(:v, model_version), error_message = :e, started_at = COALESCE(:b, started_at), "
           "finished_at = COALESCE(:f, finished_at) WHERE run_id = :i",
        soci::use(status), soci::use(attempt), soci::use(rows.value, rows.indicator), soci::use(snapshot.value, snapshot.indicator),
        soci::use(version.value, version.indicator), soci::use(error.value, error.indicator), soci::use(started.value, started.indicator),
        soci::use(finished.value, finished.indicator), soci::use(run_id);
    if (change.model_version)
      session_->sql << "UPDATE deployments SET resolved_model_version = :v WHERE deployment_id = :d", soci::use(*change.model_version),
          soci::use(run.deployment_id);
    transaction.commit();
    return {};
  });
}

Result<> Store::ReportProgress(const std::string& run_id, int64_t rows_scored) {
  return session_->Do([&]() -> Result<> {
    long long rows = rows_scored;
    session_->sql << "UPDATE runs SET rows_scored = :r WHERE run_id = :i AND status = 'running'", soci::use(rows), soci::use(run_id);
    return {};
  });
}

}  // namespace slipway::deployments
