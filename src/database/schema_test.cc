#include "database/schema.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/ids.h"
#include "database/sql.h"

namespace slipway {
namespace {

struct SchemaTest : testing::Test {
  std::string file = testing::TempDir() + "schema-" + NewUuid() + ".db";
  void TearDown() override {
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(file + end);
  }
  /// The names of the tables, in their order of creation.
  static std::vector<std::string> Tables(Database& database) {
    std::vector<std::string> names;
    EXPECT_TRUE(database.Read([&](sql::Session& session) -> Result<> {
      sql::Values none;
      auto name = [](const soci::row& row) { return *sql::Text(row, 0); };
      ASSIGN(names, none.Select<std::string>(
                        session,
                        "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 't_' ORDER BY rowid", name));
      return {};
    }));
    return names;
  }
  using Names = std::vector<std::string>;
};

constexpr Migration kFirst[] = {{1, "CREATE TABLE t1 (id {identity})"}, {4, "CREATE TABLE t4 (id INT)"}};
constexpr Migration kSecond[] = {{3, "CREATE TABLE t3 (id INT)"}, {2, "CREATE TABLE t2 (id INT)"}};

TEST_F(SchemaTest, StepsOfAllFoldersAreAppliedOnceInTheOrderOfTheirNumbers) {
  for (int starts = 0; starts < 2; ++starts) {
    auto database = Database::Open(file, AllOf(kFirst, kSecond));
    ASSERT_TRUE(database) << database.error().message;
    EXPECT_EQ(Tables(**database), (Names{"t1", "t2", "t3", "t4"}));
  }
}

TEST_F(SchemaTest, OnlyNewStepsAreAppliedToAnOlderDatabase) {
  ASSERT_TRUE(Database::Open(file, {kFirst[0], kSecond[1]}));
  auto database = Database::Open(file, AllOf(kFirst, kSecond));
  ASSERT_TRUE(database) << database.error().message;
  EXPECT_EQ(Tables(**database), (Names{"t1", "t2", "t3", "t4"}));
  auto older = Database::Open(file, {kFirst[0], kSecond[1]});
  ASSERT_FALSE(older);
  EXPECT_EQ(older.error().kind, ErrorKind::kUnsupported);
}

TEST_F(SchemaTest, ANumberIsGivenOnce) {
  auto twice = Database::Open(file, {{1, "CREATE TABLE t1 (id INT)"}, {1, "CREATE TABLE t2 (id INT)"}});
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().kind, ErrorKind::kInternal);
}

TEST_F(SchemaTest, AStepThatFailsLeavesTheDatabaseAsItWas) {
  ASSERT_TRUE(Database::Open(file, {kFirst[0]}));
  EXPECT_FALSE(Database::Open(file, {kFirst[0], kSecond[1], {3, "CREATE TABLE t1 (id INT)"}}));
  auto database = Database::Open(file, {kFirst[0]});
  ASSERT_TRUE(database);
  EXPECT_EQ(Tables(**database), Names{"t1"});
}

}  // namespace
}  // namespace slipway
