#include "iceberg/partitioned_writer.h"

#include <arrow/builder.h>
#include <arrow/compute/initialize.h>
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/ids.h"

namespace slipway::iceberg {
namespace {

namespace fs = std::filesystem;

class Partitioned : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
  ~Partitioned() override { fs::remove_all(folder_); }

  /// Writes rows with these texts in one batch; the partition and the number of rows of each file, in their order.
  std::vector<std::pair<std::string, int64_t>> Write(const std::vector<std::optional<std::string>>& texts,
                                                     const Transform& transform) {
    Schema schema{0, {{1, "region", false, {TypeId::kString}}}};
    PartitionSpec spec{0, {{1, 1000, "region", transform}}};
    Table table{{"ml", "t"}, "", NewMetadata(folder_.string(), schema, spec, 0).value(), std::make_shared<FileIo>()};
    PartitionedWriter writer(table, NewUuid());
    arrow::StringBuilder builder;
    for (const auto& text : texts) EXPECT_TRUE((text ? builder.Append(*text) : builder.AppendNull()).ok());
    auto batch = arrow::RecordBatch::Make(ToArrow(schema.fields).value(), static_cast<int64_t>(texts.size()),
                                          {builder.Finish().ValueOrDie()});
    auto written = writer.Write(batch);
    EXPECT_TRUE(written) << written.error().message;
    auto files = writer.Finish();
    EXPECT_TRUE(files) << files.error().message;
    std::vector<std::pair<std::string, int64_t>> shown;
    for (const auto& file : *files) {
      EXPECT_TRUE(fs::exists(FileIo::Canonical(file.file_path))) << file.file_path;
      auto value = IsNull(file.partition[0]) ? "NULL" : "'" + std::get<std::string>(file.partition[0]) + "'";
      shown.emplace_back(value, file.record_count);
    }
    std::ranges::sort(shown);
    return shown;
  }

  fs::path folder_ = fs::temp_directory_path() / ("slipway-partitioned-" + NewUuid());
};

using Files = std::vector<std::pair<std::string, int64_t>>;

/// Both have the folder region=null; their rows never share a file, which has one partition.
TEST_F(Partitioned, ANullAndTheTextNullAreTwoPartitions) {
  EXPECT_EQ(Write({"null", std::nullopt, "eu", std::nullopt, "null", "null"}, {TransformKind::kIdentity}),
            (Files{{"'eu'", 1}, {"'null'", 3}, {"NULL", 2}}));
  EXPECT_EQ(Write({"nullable", std::nullopt, "null"}, {TransformKind::kTruncate, 4}),
            (Files{{"'null'", 2}, {"NULL", 1}}));
}

TEST_F(Partitioned, RowsOfOnePartitionAreOneFileInAnyOrder) {
  EXPECT_EQ(Write({"a", "b", "a", "b", "a", ""}, {TransformKind::kIdentity}),
            (Files{{"''", 1}, {"'a'", 3}, {"'b'", 2}}));
  EXPECT_EQ(Write({"x", "x", "x"}, {TransformKind::kIdentity}), (Files{{"'x'", 3}}));
}

TEST_F(Partitioned, MorePartitionsThanOpenFilesAreAllWritten) {
  std::vector<std::optional<std::string>> texts;
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 50; ++i) texts.push_back(std::to_string(i));
  auto files = Write(texts, {TransformKind::kIdentity});
  EXPECT_EQ(files.size(), 50);
  for (const auto& file : files) EXPECT_EQ(file.second, 2) << file.first;
}

}  // namespace
}  // namespace slipway::iceberg
