#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "database/sql.h"

/// Databases for tests.
namespace slipway::deployments {

/// The empty PostgreSQL database that SLIPWAY_TEST_POSTGRESQL names, where it does.
inline std::vector<std::string> TestedPostgresql() {
  const char* location = std::getenv("SLIPWAY_TEST_POSTGRESQL");
  return location == nullptr ? std::vector<std::string>{} : std::vector<std::string>{location};
}

/// A SQLite database that is gone with this; in memory where the system has a file system there: a commit takes
/// microseconds.
class TestDatabase {
 public:
  explicit TestDatabase(const std::vector<Migration>& migrations) {
    auto opened = Database::Open(file_, migrations);
    if (opened) database_ = std::move(*opened);
  }
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;
  ~TestDatabase() {
    database_.reset();
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(file_ + end);
  }
  Database& operator*() const { return *database_; }
  Database* operator->() const { return database_.get(); }

 private:
  std::string file_ = (std::filesystem::exists("/dev/shm") ? std::filesystem::path("/dev/shm")
                                                           : std::filesystem::temp_directory_path()) /
                      ("slipway-test-" + NewUuid() + ".db");
  std::unique_ptr<Database> database_;
};

}  // namespace slipway::deployments
