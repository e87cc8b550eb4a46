#include "database/database.h"

#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/format.h"
#include "base/log.h"
#include "base/time.h"
#include "database/schema.h"
#include "database/silence.h"
#include "database/sql.h"

namespace slipway {
namespace {

constexpr size_t kConnections = 4;
constexpr double kAnswerSeconds = 5;  // for a call to be answered, with all tries

constexpr auto kAway = "the store does not answer now: try again later";

/// The reason is for the log. What SOCI adds to it, the statement and its values, is for nobody.
Failure Logged(Error error, std::string_view code, std::string_view reason) {
  if (error.kind != ErrorKind::kConflict)
    Log(LogLevel::kError, "store_failed",
        {{"code", std::string(code)}, {"reason", std::string(reason.substr(0, reason.find('\n')))}});
  return Failure(std::move(error));
}

Failure Broken(std::string_view code, std::string_view reason) {
  return Logged({ErrorKind::kIo, "the store failed: the server's log has the reason"}, code, reason);
}

Failure Conflict() {
  return Failure({ErrorKind::kConflict, "the store refuses the change: it breaks a rule of its tables"});
}

Failure FromSqlite(const soci::sqlite3_soci_error& error) {
  auto code = std::to_string(error.result());
  auto reason = error.get_error_message();
  switch (error.result() & 0xff) {
    case SQLITE_CONSTRAINT: return Conflict();
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Logged({ErrorKind::kUnavailable, kAway}, code, reason);
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return Logged({ErrorKind::kUnavailable, "the store cannot be written: its disk is full, or fails"}, code, reason);
    default: return Broken(code, reason);
  }
}

/// The classes of SQLSTATE, PostgreSQL 15 manual, appendix A. Its messages may hold values: the log has the code.
Failure FromPostgresql(const soci::postgresql_soci_error& error) {
  auto state = error.sqlstate();
  bool lost = state.find_first_not_of(' ') == std::string::npos;  // libpq's own word, not the database's: no connection
  if (lost) return Logged({ErrorKind::kUnavailable, kAway}, "", error.get_error_message());
  if (state.starts_with("23")) return Conflict();
  if (state.starts_with("08") || state.starts_with("57") || state.starts_with("53") || state.starts_with("40") ||
      state.starts_with("58"))
    return Logged({ErrorKind::kUnavailable, kAway}, state, "");
  return Broken(state, "");
}

/// Commits. What the database itself refuses (a constraint, class 23, or a rollback, class 40) is not committed; after
/// any other failure nobody knows.
Result<> CommitPostgresql(soci::transaction& transaction) {
  try {
    transaction.commit();
    return {};
  } catch (const soci::postgresql_soci_error& error) {
    auto state = error.sqlstate();
    if (state.starts_with("23") || state.starts_with("40")) throw;
    return Fail(ErrorKind::kPerhapsCommitted,
                "the store's answer to a change was lost, which may have been made: look before you repeat it");
  }
}

/// Runs `work`; SOCI's exceptions become errors.
Result<> Guarded(const Database::Work& work, sql::Session& session) {
  try {
    return work(session);
  } catch (const soci::sqlite3_soci_error& error) {
    return FromSqlite(error);
  } catch (const soci::postgresql_soci_error& error) {
    return FromPostgresql(error);
  } catch (const soci::soci_error& error) {
    if (error.get_error_category() != soci::soci_error::connection_error) return Broken("", error.get_error_message());
    return Logged({ErrorKind::kUnavailable, kAway}, "", error.get_error_message());
  } catch (const std::exception& error) {
    return Logged({ErrorKind::kInternal, "a defect in Slipway, please report it: the server's log has the reason"}, "",
                  error.what());
  }
}

/// A few connections, each lent to one caller at a time.
class Pool {
 public:
  explicit Pool(size_t size) : sessions_(size) {
    for (auto& session : sessions_) free_.push_back(&session);
  }
  std::vector<sql::Session>& all() { return sessions_; }

  /// Runs `work` with a connection, once one is free; kUnavailable where none is for `seconds`.
  Result<> Lend(double seconds, const std::function<Result<>(sql::Session&)>& work) {
    sql::Session* session = nullptr;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return !free_.empty(); }))
        return Fail(ErrorKind::kUnavailable, kAway);
      session = free_.back();  // the one that was used last: its pages and statements are warm
      free_.pop_back();
    }
    auto result = work(*session);
    {
      std::lock_guard lock(mutex_);
      free_.push_back(session);
    }
    changed_.notify_one();
    return result;
  }

 private:
  std::vector<sql::Session> sessions_;
  std::vector<sql::Session*> free_;
  std::mutex mutex_;
  std::condition_variable changed_;
};

class Sqlite final : public Database {
 public:
  Sqlite(const std::string& file, std::vector<Migration> migrations)
      : Database({false, "INTEGER PRIMARY KEY AUTOINCREMENT", "",
                  "CAST((julianday('now') - 2440587.5) * 86400000 AS BIGINT) * 1000"},
                 std::move(migrations)),
        readers_(kConnections),
        options_("dbname=" + file + " timeout=5") {}

  Result<> Start() {
    auto opened = Guarded(
        [&](sql::Session&) -> Result<> {
          Connect(writer_);
          TRY(CheckFile());
          writer_ << "BEGIN IMMEDIATE";
          auto migrated = Migrate(writer_, dialect(), migrations());
          if (migrated)
            writer_ << "COMMIT";
          else
            writer_ << "ROLLBACK";
          TRY(migrated);
          for (auto& reader : readers_.all()) Connect(reader);
          return {};
        },
        writer_);
    TRY(opened);
    thread_ = std::thread([this] { Commit(); });
    return {};
  }

  ~Sqlite() override {
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  Result<> Read(const Work& work) override {
    return readers_.Lend(kAnswerSeconds, [&](sql::Session& session) { return Guarded(work, session); });
  }

  Result<> Write(const Work& work) override {
    Pending pending{&work, {}};
    auto done = pending.done.get_future();
    {
      std::lock_guard lock(mutex_);
      pending_.push_back(&pending);
    }
    changed_.notify_one();
    return done.get();
  }

 private:
  struct Pending {
    const Work* work;
    std::promise<Result<>> done;
  };

  void Connect(sql::Session& session) {
    session.open(soci::sqlite3, options_);
    session << "PRAGMA journal_mode = WAL";
    session << "PRAGMA synchronous = FULL";
    session << "PRAGMA foreign_keys = ON";
    session << "PRAGMA mmap_size = 268435456";
  }

  /// A damaged file is found before anything is served from it, or written to it.
  Result<> CheckFile() {
    std::string found;
    writer_ << "PRAGMA quick_check(1)", soci::into(found);
    if (found == "ok") return {};
    return Fail(ErrorKind::kCorrupt, "the store {} is damaged ({}): restore it from a backup",
                options_.substr(7, options_.rfind(" timeout=") - 7), found);
  }

  /// The group commit: whatever is waiting goes into one transaction.
  void Commit() {
    while (true) {
      std::vector<Pending*> group;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stopped_ || !pending_.empty(); });
        if (pending_.empty()) return;
        group.swap(pending_);
      }
      std::vector<Result<>> results(group.size());
      auto committed = Guarded(
          [&](sql::Session& session) -> Result<> {
            session << "BEGIN IMMEDIATE";
            for (size_t i = 0; i < group.size(); ++i) results[i] = InSavepoint(*group[i]->work);
            session << "COMMIT";
            return {};
          },
          writer_);
      if (!committed)
        (void)Guarded([](sql::Session& session) -> Result<> { return session << "ROLLBACK", Result<>(); }, writer_);
      for (size_t i = 0; i < group.size(); ++i) group[i]->done.set_value(committed ? results[i] : committed);
    }
  }

  Result<> InSavepoint(const Work& work) {
    writer_ << "SAVEPOINT work";
    auto result = Guarded(work, writer_);
    if (!result) writer_ << "ROLLBACK TO work";
    writer_ << "RELEASE work";
    return result;
  }

  sql::Session writer_;
  Pool readers_;
  std::string options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Pending*> pending_;
  bool stopped_ = false;
  std::thread thread_;
};

class Postgresql final : public Database {
 public:
  Postgresql(std::string options, std::vector<Migration> migrations)
      : Database({true, "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", " FOR UPDATE",
                  "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"},
                 std::move(migrations)),
        options_(std::move(options)),
        pool_(kConnections * 2) {}

  Result<> Start() {
    // Migrations take as long as they take: no limits of time, and no other tries.
    return pool_.Lend(kAnswerSeconds, [&](sql::Session& session) {
      return Connected(session, std::nullopt, [&](sql::Session& open) -> Result<> {
        soci::transaction transaction(open);
        open << "SET LOCAL statement_timeout = 0";
        TRY(Migrate(open, dialect(), migrations()));
        return CommitPostgresql(transaction);
      });
    });
  }

  Result<> Read(const Work& work) override { return Ask(work, 2); }

  Result<> Write(const Work& work) override {
    auto transaction = [&](sql::Session& open) -> Result<> {
      soci::transaction transaction(open);
      TRY(work(open));
      return CommitPostgresql(transaction);
    };
    // A deadlock or a lost connection before the commit changes nothing, so that once more is safe.
    return Ask(transaction, 4);
  }

 private:
  /// Runs `work`, and again while that may help and there is time. While the database is known to be silent, one caller
  /// at a time finds out whether it still is; the others are told at once.
  Result<> Ask(const Work& work, int tries) {
    auto admitted = silence_.Admit();
    if (!admitted) return Fail(ErrorKind::kUnavailable, kAway);
    double until = MonotonicSeconds() + kAnswerSeconds;
    auto result = pool_.Lend(kAnswerSeconds, [&](sql::Session& session) {
      auto asked = Connected(session, until, work);
      for (int i = 1; i < tries && !asked && asked.error().kind == ErrorKind::kUnavailable; ++i) {
        if (MonotonicSeconds() >= until) break;
        asked = Connected(session, until, work);
      }
      return asked;
    });
    auto unknown = [](ErrorKind kind) {
      return kind == ErrorKind::kUnavailable || kind == ErrorKind::kPerhapsCommitted;
    };
    admitted->Told(result || !unknown(result.error().kind));
    return result;
  }

  /// Nothing where it is closed. SOCI's is_connected() asks the database, and waits for its answer without end.
  static PGconn* Connection(sql::Session& session) {
    auto* backend = static_cast<soci::postgresql_session_backend*>(session.get_backend());
    return backend == nullptr ? nullptr : backend->conn_;
  }

  Result<> Reconnect(sql::Session& session) {
    try {
      session.Close();
      session.open(soci::postgresql, options_);
      return {};
    } catch (const std::exception& error) {
      return Logged({ErrorKind::kUnavailable, kAway}, "", error.what());
    }
  }

  /// Runs `work` on a live connection: one that was lost is made anew for the next one.
  /// After `until` it is given up.
  Result<> Connected(sql::Session& session, std::optional<double> until, const Work& work) {
    auto result = Guarded(
        [&](sql::Session& s) -> Result<> {
          if (Connection(s) == nullptr) TRY(Reconnect(s));
          std::optional<Watchdog::Watched> watched;
          if (until) watched.emplace(watchdog_, PQsocket(Connection(s)), *until);
          return work(s);
        },
        session);
    bool lost = !result &&
                (result.error().kind == ErrorKind::kUnavailable || result.error().kind == ErrorKind::kPerhapsCommitted);
    if (lost) (void)Guarded([](sql::Session& s) { return s.Close(), Result<>(); }, session);
    return result;
  }

  std::string options_;
  Silence silence_;
  Watchdog watchdog_;
  Pool pool_;
};

/// `location` with what makes a silent server noticed, as far as it says nothing of it itself. SOCI also takes a URI
/// without any `=` for a key.
std::string Patient(std::string location) {
  for (const auto* option : {"connect_timeout=5", "tcp_user_timeout=5000", "keepalives_idle=30",
                             "keepalives_interval=10", "keepalives_count=3", "options=-c%20statement_timeout%3D5000"}) {
    std::string_view name(option, std::string_view(option).find('='));
    if (location.find(std::string(name) + "=") != std::string::npos) continue;
    location += (location.find('?') == std::string::npos ? "?" : "&") + std::string(option);
  }
  return location;
}

template <typename T>
Result<std::unique_ptr<Database>> Started(std::unique_ptr<T> database) {
  TRY(database->Start());
  return database;
}

}  // namespace

void Database::PrepareProcess() {
  // Connections are never shared by threads at one time, and nobody asks how much memory SQLite uses.
  sqlite_api::sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
  sqlite_api::sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

Result<std::unique_ptr<Database>> Database::Open(const std::string& location, std::vector<Migration> migrations) {
  if (location.starts_with("postgresql://") || location.starts_with("postgres://"))
    return Started(std::make_unique<Postgresql>(Patient(location), std::move(migrations)));
  return Started(std::make_unique<Sqlite>(location, std::move(migrations)));
}

}  // namespace slipway
