#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/format.h"
#include "database/database.h"
#include "database/sql.h"

namespace slipway {
namespace {

TEST(Database, ADamagedFileIsRefusedAtStart) {
  auto file = testing::TempDir() + fmt::format("damaged-{}.db", ::getpid());
  {
    auto database = Database::Open(file, {});
    ASSERT_TRUE(database) << database.error().message;
    ASSERT_TRUE((*database)->Write([](sql::Session& session) -> Result<> {
      session << "CREATE TABLE filler (id INTEGER PRIMARY KEY, text TEXT)";
      session << "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
                 "INSERT INTO filler SELECT i, hex(randomblob(100)) FROM n";
      session << "CREATE INDEX filler_text ON filler (text)";
      return {};
    }));
  }
  ASSERT_TRUE(Database::Open(file, {}));  // whole, and everything out of the write-ahead log afterwards
  {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    auto size = static_cast<std::streamoff>(std::filesystem::file_size(file));
    bytes.seekp(size / 2 / 4096 * 4096);
    bytes << std::string(3 * 4096, '\x5a');
  }
  auto damaged = Database::Open(file, {});
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().kind, ErrorKind::kCorrupt) << damaged.error().message;
  EXPECT_NE(damaged.error().message.find(file), std::string::npos) << damaged.error().message;
  for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(file + end);
}

}  // namespace
}  // namespace slipway
