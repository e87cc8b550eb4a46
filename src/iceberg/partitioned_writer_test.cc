#include "iceberg/partitioned_writer.h"

#include <arrow/builder.h>
#include <arrow/compute/initialize.h>
#include <arrow/io/file.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>

#include <filesystem>

#include "base/format.h"
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

/// Ten rows of each of fifty partitions, a row of each in every batch; what waits goes to disk again and again.
TEST_F(Partitioned, EachPartitionIsOneFileHoweverTheRowsCome) {
  constexpr int kPartitions = 50, kRounds = 10;
  Schema schema{0, {{1, "k", false, {TypeId::kLong}}, {2, "text", false, {TypeId::kString}}}};
  PartitionSpec spec{0, {{1, 1000, "k", {TransformKind::kIdentity}}}};
  Table table{{"ml", "t"}, "", NewMetadata(folder_.string(), schema, spec, 0).value(), std::make_shared<FileIo>()};
  PartitionedWriter writer(table, NewUuid(), {.open_files = 3, .waiting_bytes = 4096});
  auto text = [](int64_t k, int round) { return fmt::format("row {} of {}", round, k); };
  for (int round = 0; round < kRounds; ++round) {
    arrow::Int64Builder keys;
    arrow::StringDictionaryBuilder texts;
    for (int64_t k = 0; k < kPartitions; ++k) {
      ASSERT_TRUE(keys.Append(k * 7 % kPartitions).ok());
      ASSERT_TRUE(texts.Append(text(k * 7 % kPartitions, round)).ok());
    }
    auto made = texts.Finish().ValueOrDie();
    auto batch =
        arrow::RecordBatch::Make(arrow::schema({arrow::field("k", arrow::int64()), arrow::field("text", made->type())}),
                                 kPartitions, {keys.Finish().ValueOrDie(), made});
    auto written = writer.Write(batch);
    ASSERT_TRUE(written) << written.error().message;
  }
  auto files = writer.Finish();
  ASSERT_TRUE(files) << files.error().message;
  ASSERT_EQ(files->size(), kPartitions);
  EXPECT_EQ(writer.locations().size(), kPartitions);
  for (const auto& file : *files) {
    ASSERT_EQ(file.record_count, kRounds);
    auto input = arrow::io::ReadableFile::Open(FileIo::Canonical(file.file_path)).ValueOrDie();
    auto reader = parquet::arrow::OpenFile(input, arrow::default_memory_pool()).ValueOrDie();
    auto rows = reader->ReadTable().ValueOrDie()->CombineChunksToBatch().ValueOrDie();
    auto key = std::get<int64_t>(file.partition[0]);
    std::vector<std::string> found, wanted;
    for (int round = 0; round < kRounds; ++round) {
      EXPECT_EQ(rows->column(0)->GetScalar(round).ValueOrDie()->ToString(), std::to_string(key));
      found.push_back(rows->column(1)->GetScalar(round).ValueOrDie()->ToString());
      wanted.push_back(text(key, round));
    }
    EXPECT_EQ(found, wanted) << "in the order in which they came";
  }
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
