#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace slipway::sql {
class Session;
}

namespace slipway {

/// What the two databases spell differently.
struct Dialect {
  bool postgresql = false;
  std::string identity;    ///< the type of a key that counts itself
  std::string for_update;  ///< behind a SELECT whose row is changed next
  std::string now;         ///< an expression: microseconds since 1970 by the database's own clock, one for all servers
};

/// One step of the schema, which a folder's tables need: an SQL statement, in which `{identity}` stands for the
/// dialect's. Numbers are unique over all folders of the program. Instants are microseconds since 1970.
struct Migration {
  int number;
  const char* statement;
};

/// SQLite in a file, or a PostgreSQL database, migrated at open. Thread-safe. Errors: kConflict for a broken
/// constraint, kUnavailable when the database cannot be reached or is busy, kPerhapsCommitted when the answer to a
/// commit was lost, kIo else.
class Database {
 public:
  using Work = std::function<Result<>(sql::Session&)>;

  /// `location`: "postgresql://user@host/name" (libpq's URI or key=value form), or the path of a SQLite file.
  static Result<std::unique_ptr<Database>> Open(const std::string& location, std::vector<Migration> migrations);
  /// Settings of SQLite for the whole process: no locks around what only one thread uses at a time. Before anything
  /// opens a database.
  static void PrepareProcess();
  virtual ~Database() = default;

  const Dialect& dialect() const { return dialect_; }

  /// Runs `work` on a connection outside any transaction. It may run twice when a connection was lost.
  virtual Result<> Read(const Work& work) = 0;
  /// Runs `work` in a transaction that is durable when this returns; an error rolls back what it did. It may run more
  /// than once.
  virtual Result<> Write(const Work& work) = 0;

 protected:
  Database(Dialect dialect, std::vector<Migration> migrations)
      : dialect_(std::move(dialect)), migrations_(std::move(migrations)) {}
  const std::vector<Migration>& migrations() const { return migrations_; }

 private:
  Dialect dialect_;
  std::vector<Migration> migrations_;
};

}  // namespace slipway
