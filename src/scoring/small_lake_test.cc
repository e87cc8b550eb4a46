#include "scoring/small_lake.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/initialize.h>
#include <arrow/record_batch.h>

#include <algorithm>

#include "base/ids.h"
#include "iceberg/commit.h"
#include "iceberg/partitioned_writer.h"
#include "iceberg/scan_reader.h"
#include "registry/folder_registry.h"

namespace slipway::scoring {
namespace {

using iceberg::Catalog;

std::shared_ptr<arrow::RecordBatch> RowsOf(const iceberg::Table& table, const std::vector<int64_t>& ids) {
  arrow::Int64Builder id;
  arrow::DoubleBuilder x;
  for (auto value : ids) EXPECT_TRUE(id.Append(value).ok() && x.Append(static_cast<double>(value) / 4 - 1).ok());
  return arrow::RecordBatch::Make(ToArrow(table.metadata.schema.fields).value(), static_cast<int64_t>(ids.size()),
                                  {id.Finish().ValueOrDie(), x.Finish().ValueOrDie()});
}

}  // namespace

SmallLake::SmallLake() : folder(std::filesystem::path(::testing::TempDir()) / NewUuid()) {
  EXPECT_TRUE(arrow::compute::Initialize().ok());
  std::filesystem::create_directories(folder);
  Write({"src", "t"}, {{0, 1, 2, 3, 4}, {5, 6, 7, 8, 9}});
  auto registered = registry::FolderRegistry(folder / "models")
                        .Register("m", std::filesystem::path(SLIPWAY_GOLDEN) / "scoring/model", SystemClock());
  EXPECT_TRUE(registered) << registered.error().message;
}

SmallLake::~SmallLake() {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

Job SmallLake::NewJob(RerunBehavior rerun) const {
  Job job{.run_id = NewUuid(), .deployment = "m/d", .places = Places::In(folder.string())};
  job.logical_date = ParseTimestamp("2024-03-01T06:00:00Z").value();
  job.window = DayOf(job.logical_date);
  job.work.model = {"m", "1", {}};
  job.work.source = {.schema = "src", .table = "t"};
  job.work.target = {.schema = "ml", .table = "p"};
  job.work.entity_columns = {"id"};
  job.work.rerun_behavior = rerun;
  return job;
}

std::unique_ptr<Catalog> SmallLake::OpenCatalog() const {
  auto catalog = iceberg::OpenSqlCatalog(Places::In(folder.string()).catalogs.front(), {});
  EXPECT_TRUE(catalog) << catalog.error().message;
  return std::move(*catalog);
}

Sources SmallLake::Open(std::unique_ptr<Catalog> catalog) const {
  auto sources = OpenSources(Places::In(folder.string()), {});
  EXPECT_TRUE(sources) << sources.error().message;
  if (catalog != nullptr) {
    std::map<std::string, std::unique_ptr<Catalog>> open;
    open["iceberg"] = std::move(catalog);
    sources->catalogs = Catalogs(std::move(open));
  }
  return std::move(*sources);
}

void SmallLake::Write(const iceberg::TableIdentifier& id, const std::vector<std::vector<int64_t>>& files) const {
  auto catalog = OpenCatalog();
  auto table = catalog->Load(id);
  if (!table) {
    iceberg::Schema schema;
    schema.fields = {{1, "id", false, {iceberg::TypeId::kLong}}, {2, "x", false, {iceberg::TypeId::kDouble}}};
    table = catalog->Stage(id, iceberg::NewMetadata("", schema, {}, 0).value());
  }
  ASSERT_TRUE(table) << table.error().message;
  iceberg::SnapshotUpdate update{.run_id = NewUuid()};
  std::vector<iceberg::DataFile> written;
  for (const auto& ids : files) {
    iceberg::PartitionedWriter writer(*table, update.run_id);
    ASSERT_TRUE(writer.Write(RowsOf(*table, ids)));
    auto finished = writer.Finish();
    ASSERT_TRUE(finished);
    written.insert(written.end(), finished->begin(), finished->end());
  }
  update.added_files = [&](const iceberg::Table&) { return written; };
  auto done = iceberg::Commit(*catalog, *table, update, SystemClock());
  ASSERT_TRUE(done) << done.error().message;
}

std::vector<int64_t> SmallLake::TargetIds() const {
  auto table = OpenCatalog()->Load({"ml", "p"});
  std::vector<int64_t> ids;
  if (!table) return ids;
  auto plan = iceberg::PlanScan(*table, std::nullopt, iceberg::Predicate::Always());
  EXPECT_TRUE(plan) << plan.error().message;
  auto reader = iceberg::ScanReader::Start(*table, *plan, {*table->metadata.schema.Find("id")}, {}).value();
  while (true) {
    auto batch = reader->Next();
    EXPECT_TRUE(batch) << batch.error().message;
    if (!batch || *batch == nullptr) break;
    const auto& column = static_cast<const arrow::Int64Array&>(*(*batch)->column(0));
    for (int64_t row = 0; row < column.length(); ++row) ids.push_back(column.Value(row));
  }
  std::ranges::sort(ids);
  return ids;
}

int SmallLake::CommitsOf(const std::string& run_id) const {
  auto table = OpenCatalog()->Load({"ml", "p"});
  int commits = 0;
  if (table)
    for (const auto& snapshot : table->metadata.snapshots) {
      auto found = snapshot.summary.find(std::string(iceberg::kRunIdProperty));
      commits += found != snapshot.summary.end() && found->second == run_id;
    }
  return commits;
}

int SmallLake::DataFilesOf(const std::string& run_id) const {
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    files +=
        entry.path().extension() == ".parquet" && entry.path().filename().string().find(run_id) != std::string::npos;
  return files;
}

}  // namespace slipway::scoring
