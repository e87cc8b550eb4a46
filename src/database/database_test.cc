#include "database/database.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <limits>
#include <thread>

#include "base/ids.h"
#include "database/sql.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

class SqliteFile : public ::testing::Test {
 protected:
  ~SqliteFile() override {
    database_.reset();
    for (const auto* suffix : {"", "-wal", "-shm"}) fs::remove(path_.string() + suffix);
  }
  void SetUp() override {
    auto made = Database::Open(path_.string(), {});
    ASSERT_TRUE(made) << made.error().message;
    database_ = std::move(*made);
    ASSERT_TRUE(Execute("CREATE TABLE things (id INTEGER PRIMARY KEY, number BIGINT, text TEXT)"));
  }
  Result<> Execute(const std::string& statement) {
    return database_->Write([&](sql::Session& session) -> Result<> {
      session << statement;
      return {};
    });
  }
  static Result<> Insert(sql::Session& session, std::optional<int64_t> number, const std::optional<std::string>& text) {
    sql::Values values;
    auto statement = "INSERT INTO things (number, text) VALUES (" + values(number) + ", " + values(text) + ")";
    if (values.Execute(session, statement) != 1) return Fail(ErrorKind::kInternal, "no row");
    return {};
  }
  struct Thing {
    std::optional<int64_t> number;
    std::optional<std::string> text;
    bool operator==(const Thing&) const = default;
  };
  std::vector<Thing> Things() {
    std::vector<Thing> things;
    auto read = database_->Read([&](sql::Session& session) -> Result<> {
      ASSIGN(things, sql::Values{}.Select<Thing>(
                         session, "SELECT number, text FROM things ORDER BY id",
                         [](const soci::row& row) { return Thing{sql::Number(row, 0), sql::Text(row, 1)}; }));
      return {};
    });
    EXPECT_TRUE(read) << read.error().message;
    return things;
  }

  fs::path path_ = fs::temp_directory_path() / ("slipway-database-" + NewUuid());
  std::unique_ptr<Database> database_;
};

TEST_F(SqliteFile, ValuesComeBackAsTheyWentIn) {
  const std::vector<Thing> things = {{0, ""},
                                     {1, "x"},
                                     {-1, "it's \"quoted\"; DROP TABLE things; --"},
                                     {std::numeric_limits<int64_t>::max(), "é日本😀"},
                                     {std::numeric_limits<int64_t>::min(), ":p0 ? $1 %s"},
                                     {int64_t{1} << 32, "line\nbreak\ttab"},
                                     {std::nullopt, std::nullopt},
                                     {5, std::string(100'000, 'x')}};
  for (const auto& thing : things) {
    auto written = database_->Write([&](sql::Session& session) { return Insert(session, thing.number, thing.text); });
    ASSERT_TRUE(written) << written.error().message;
  }
  EXPECT_EQ(Things(), things);
}

TEST_F(SqliteFile, AnErrorRollsBackWhatItsWorkDid) {
  auto written = database_->Write([&](sql::Session& session) -> Result<> {
    TRY(Insert(session, 1, "kept?"));
    return Fail(ErrorKind::kConflict, "changed its mind");
  });
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(written.error().message, "changed its mind");
  EXPECT_TRUE(Things().empty());
}

TEST_F(SqliteFile, ABrokenConstraintIsAConflict) {
  ASSERT_TRUE(Execute("INSERT INTO things (id) VALUES (7)"));
  EXPECT_EQ(Execute("INSERT INTO things (id) VALUES (7)").error().kind, ErrorKind::kConflict);
}

/// Writers that come together share a commit; each has its own success and its own failure.
TEST_F(SqliteFile, WritersAtOnceSucceedAndFailEachForItself) {
  constexpr int kThreads = 8, kEach = 25;
  std::atomic<int> failed = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          bool fails = i % 5 == 4;
          auto written = database_->Write([&](sql::Session& session) -> Result<> {
            TRY(Insert(session, t * 1000 + i, "x"));
            if (fails) return Fail(ErrorKind::kInvalid, "no");
            return {};
          });
          EXPECT_EQ(written.has_value(), !fails) << (written ? "" : written.error().message);
          failed += written ? 0 : 1;
        }
      });
  }
  EXPECT_EQ(failed, kThreads * kEach / 5);
  auto things = Things();
  EXPECT_EQ(things.size(), kThreads * kEach * 4 / 5);
  for (const auto& thing : things) EXPECT_NE(*thing.number % 5, 4);
}

TEST_F(SqliteFile, WhatWasWrittenIsThereAfterOpeningAgain) {
  ASSERT_TRUE(database_->Write([&](sql::Session& session) { return Insert(session, 5, "kept"); }));
  database_.reset();
  database_ = Database::Open(path_.string(), {}).value();
  EXPECT_EQ(Things(), (std::vector<Thing>{{5, "kept"}}));
}

TEST_F(SqliteFile, ItsClockCountsMicrosecondsSince1970) {
  ASSERT_TRUE(Execute("INSERT INTO things (number) VALUES (" + database_->dialect().now + ")"));
  EXPECT_GT(Things().front().number.value(), 1'700'000'000'000'000) << "of the year 2023";
}

}  // namespace
}  // namespace slipway
