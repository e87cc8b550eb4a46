#include <gtest/gtest.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <filesystem>

#include "base/ids.h"
#include "iceberg/catalog.h"
#include "iceberg/commit.h"

namespace slipway::iceberg {
namespace {

namespace fs = std::filesystem;

// As PyIceberg 0.10 makes them (SqlCatalog), and Java's JdbcCatalog of schema version V0.
constexpr auto kTablesOfV0 =
    "CREATE TABLE iceberg_tables (catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL, "
    "table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000), "
    "PRIMARY KEY (catalog_name, table_namespace, table_name))";

TEST(SqlCatalog, ReadsAndWritesTablesOfTheLayoutV0) {
  const auto folder = fs::path(::testing::TempDir()) / NewUuid();
  fs::create_directories(folder);
  const auto file = (folder / "catalog.db").string();
  soci::session(soci::sqlite3, "dbname=" + file) << kTablesOfV0;
  auto catalog = OpenSqlCatalog({.uri = "sqlite:///" + file, .warehouse = folder.string()}, {});
  ASSERT_TRUE(catalog) << catalog.error().message;
  const TableIdentifier id{"ml", "p"};
  EXPECT_EQ((*catalog)->Load(id).error().kind, ErrorKind::kNotFound);
  auto metadata = NewMetadata("", {0, {{1, "id", false, {TypeId::kLong}}}}, {}, 0).value();
  auto base = (*catalog)->Stage(id, metadata).value();
  for (const auto* run : {"6e0c6a5c-0000-4000-8000-000000000001", "6e0c6a5c-0000-4000-8000-000000000002"}) {
    SnapshotUpdate update{.run_id = run, .added_files = [](const Table&) { return std::vector<DataFile>(); }};
    auto committed = Commit(**catalog, base, update, SystemClock());
    ASSERT_TRUE(committed) << committed.error().message;
    base = (*catalog)->Load(id).value();
    EXPECT_NE(base.metadata.FindRun(run), nullptr);
  }
  auto tables = (*catalog)->List();
  ASSERT_TRUE(tables) << tables.error().message;
  ASSERT_EQ(tables->size(), 1U);
  EXPECT_EQ(ToString(tables->front()), "ml.p");
  fs::remove_all(folder);
}

}  // namespace
}  // namespace slipway::iceberg
