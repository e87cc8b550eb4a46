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
  auto kind = state.starts_with("23") ? ErrorKind::kConflict
              : state.starts_with("08") || state.starts_with("57") || state.starts_with("53") || state.starts_with("40")
                  ? ErrorKind::kUnavailable
                  : ErrorKind::kIo;
  return Fail(kind, "the store: {}", error.what());
}

/// Runs `work`; SOCI's exceptions become errors.
Result<> Guarded(const Database::Work& work, soci::session& session) {
  try {
    return work(session);
  } catch (const soci::sqlite3_soci_error& error) {
    return FromSqlite(error);
  } catch (const soci::postgresql_soci_error& error) {
    return FromPostgresql(error);
  } catch (const soci::soci_error& error) {
    return Fail(error.get_error_category() == soci::soci_error::connection_error ? ErrorKind::kUnavailable : ErrorKind::kIo,
                "the store: {}", error.what());
  } catch (const std::exception& error) {
    return Fail(ErrorKind::kInternal, "the store: {}", error.what());
  }
}

class Sqlite final : public Database {
 public:
  explicit Sqlite(const std::string& file)
      : Database({false, "INTEGER PRIMARY KEY AUTOINCREMENT", "", "CAST((julianday('now') - 2440587.5) * 86400000 AS BIGINT) * 1000"}),
        readers_(kConnections),
        options_("dbname=" + file + " timeout=30") {}

  Result<> Start() {
    auto opened = Guarded(
        [&](soci::session&) -> Result<> {
          Connect(writer_);
          writer_ << "BEGIN IMMEDIATE";
          auto migrated = Migrate(writer_, dialect());
          if (migrated)
            writer_ << "COMMIT";
          else
            writer_ << "ROLLBACK";
          TRY(migrated);
          for (size_t i = 0; i < kConnections; ++i) Connect(readers_.at(i));
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
    soci::session session(readers_);
    return Guarded(work, session);
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

  void Connect(soci::session& session) {
    session.open(soci::sqlite3, options_);
    session << "PRAGMA journal_mode = WAL";
    session << "PRAGMA synchronous = FULL";
    session << "PRAGMA foreign_keys = ON";
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
          [&](soci::session& session) -> Result<> {
            session << "BEGIN IMMEDIATE";
            for (size_t i = 0; i < group.size(); ++i) results[i] = InSavepoint(*group[i]->work);
            session << "COMMIT";
            return {};
          },
          writer_);
      if (!committed) (void)Guarded([](soci::session& session) -> Result<> { return session << "ROLLBACK", Result<>(); }, writer_);
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

  soci::session writer_;
  soci::connection_pool readers_;
  std::string options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Pending*> pending_;
  bool stopped_ = false;
  std::thread thread_;
};

class Postgresql final : public Database {
 public:
  explicit Postgresql(std::string options)
      : Database({true, "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", " FOR UPDATE",
                  "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"}),
        options_(std::move(options)),
        pool_(kConnections * 2) {}

  Result<> Start() {
    return Write([&](soci::session& session) { return Migrate(session, dialect()); });
  }

  Result<> Read(const Work& work) override {
    soci::session session(pool_);
    auto result = Connected(session, work);
    if (!result && result.error().kind == ErrorKind::kUnavailable) result = Connected(session, work);
    return result;
  }

  Result<> Write(const Work& work) override {
    soci::session session(pool_);
    bool committing = false;
    auto transaction = [&](soci::session& open) -> Result<> {
      soci::transaction transaction(open);
      TRY(work(open));
      committing = true;
      transaction.commit();
      return {};
    };
    // A deadlock or a lost connection before the commit changes nothing, so that once more is safe. A commit whose answer was
    // lost is told as unavailable: the caller looks.
    auto result = Connected(session, transaction);
    for (int i = 0; i < 3 && !result && result.error().kind == ErrorKind::kUnavailable && !committing; ++i)
      result = Connected(session, transaction);
    return result;
  }

 private:
  Result<> Reconnect(soci::session& session) {
    try {
      session.close();
      session.open(soci::postgresql, options_);
      return {};
    } catch (const std::exception& error) {
      return Fail(ErrorKind::kUnavailable, "the store: {}", error.what());
    }
  }

  /// Runs `work` on a live connection: one that was lost is made anew for the next one.
  Result<> Connected(soci::session& session, const Work& work) {
    auto result = Guarded(
        [&](soci::session& s) -> Result<> {
          if (!s.is_connected()) TRY(Reconnect(s));
          return work(s);
        },
        session);
    if (!result && result.error().kind == ErrorKind::kUnavailable)
      (void)Guarded([](soci::session& s) { return s.close(), Result<>(); }, session);
    return result;
  }

  std::string options_;
  soci::connection_pool pool_;
};

template <typename T>
Result<std::unique_ptr<Database>> Started(std::unique_ptr<T> database) {
  TRY(database->Start());
  return database;
}

}  // namespace

Result<std::unique_ptr<Database>> Database::Open(const std::string& location) {
  if (location.starts_with("postgresql://") || location.starts_with("postgres://")) {
    // A server that does not answer is noticed; SOCI also takes a URI without any `=` for a key.
    auto option = location.find('?') == std::string::npos ? "?connect_timeout=5" : "&connect_timeout=5";
    return Started(std::make_unique<Postgresql>(location.find("connect_timeout") == std::string::npos ? location + option : location));
  }
  return Started(std::make_unique<Sqlite>(location));
}

}  // namespace slipway
