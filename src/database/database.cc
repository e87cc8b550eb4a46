#include "database/database.h"

#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "base/format.h"
#include "database/schema.h"
#include "database/sql.h"

namespace slipway {
namespace {

constexpr size_t kConnections = 4;

Failure FromSqlite(const soci::sqlite3_soci_error& error) {
  auto kind = error.result() == SQLITE_BUSY         ? ErrorKind::kUnavailable
              : error.result() == SQLITE_CONSTRAINT ? ErrorKind::kConflict
                                                    : ErrorKind::kIo;
  return Fail(kind, "the store: {}", error.what());
}

/// The classes of SQLSTATE, PostgreSQL 15 manual, appendix A.
Failure FromPostgresql(const soci::postgresql_soci_error& error) {
  auto state = error.sqlstate();
  bool lost = state.find_first_not_of(' ') == std::string::npos;  // libpq's own word, not the database's: no connection
  bool again =
      lost || state.starts_with("08") || state.starts_with("57") || state.starts_with("53") || state.starts_with("40");
  auto kind = state.starts_with("23") ? ErrorKind::kConflict : again ? ErrorKind::kUnavailable : ErrorKind::kIo;
  return Fail(kind, "the store: {}", error.what());
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
                "the store's answer to a change was lost, which may have been made: look before you repeat it ({})",
                error.what());
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
    return Fail(
        error.get_error_category() == soci::soci_error::connection_error ? ErrorKind::kUnavailable : ErrorKind::kIo,
        "the store: {}", error.what());
  } catch (const std::exception& error) {
    return Fail(ErrorKind::kInternal, "the store: {}", error.what());
  }
}

/// A few connections, each lent to one caller at a time.
class Pool {
 public:
  explicit Pool(size_t size) : sessions_(size) {
    for (auto& session : sessions_) free_.push_back(&session);
  }
  std::vector<sql::Session>& all() { return sessions_; }

  /// Runs `work` with a connection, once one is free.
  Result<> Lend(const std::function<Result<>(sql::Session&)>& work) {
    sql::Session* session = nullptr;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !free_.empty(); });
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
        options_("dbname=" + file + " timeout=30") {}

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
    return readers_.Lend([&](sql::Session& session) { return Guarded(work, session); });
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
    return Write([&](sql::Session& session) { return Migrate(session, dialect(), migrations()); });
  }

  Result<> Read(const Work& work) override {
    return pool_.Lend([&](sql::Session& session) {
      auto result = Connected(session, work);
      if (!result && result.error().kind == ErrorKind::kUnavailable) result = Connected(session, work);
      return result;
    });
  }

  Result<> Write(const Work& work) override {
    auto transaction = [&](sql::Session& open) -> Result<> {
      soci::transaction transaction(open);
      TRY(work(open));
      return CommitPostgresql(transaction);
    };
    // A deadlock or a lost connection before the commit changes nothing, so that once more is safe.
    return pool_.Lend([&](sql::Session& session) {
      auto result = Connected(session, transaction);
      for (int i = 0; i < 3 && !result && result.error().kind == ErrorKind::kUnavailable; ++i)
        result = Connected(session, transaction);
      return result;
    });
  }

 private:
  Result<> Reconnect(sql::Session& session) {
    try {
      session.Close();
      session.open(soci::postgresql, options_);
      return {};
    } catch (const std::exception& error) {
      return Fail(ErrorKind::kUnavailable, "the store: {}", error.what());
    }
  }

  /// Runs `work` on a live connection: one that was lost is made anew for the next one.
  Result<> Connected(sql::Session& session, const Work& work) {
    auto result = Guarded(
        [&](sql::Session& s) -> Result<> {
          if (!s.is_connected()) TRY(Reconnect(s));
          return work(s);
        },
        session);
    bool lost = !result &&
                (result.error().kind == ErrorKind::kUnavailable || result.error().kind == ErrorKind::kPerhapsCommitted);
    if (lost) (void)Guarded([](sql::Session& s) { return s.Close(), Result<>(); }, session);
    return result;
  }

  std::string options_;
  Pool pool_;
};

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
  if (location.starts_with("postgresql://") || location.starts_with("postgres://")) {
    // A server that does not answer is noticed; SOCI also takes a URI without any `=` for a key.
    auto option = location.find('?') == std::string::npos ? "?connect_timeout=5" : "&connect_timeout=5";
    return Started(std::make_unique<Postgresql>(
        location.find("connect_timeout") == std::string::npos ? location + option : location, std::move(migrations)));
  }
  return Started(std::make_unique<Sqlite>(location, std::move(migrations)));
}

}  // namespace slipway
