#include "iceberg/delete_index.h"

#include <gtest/gtest.h>

#include "iceberg/data_file_json.h"

namespace slipway::iceberg {
namespace {

using Content = DataFile::Content;

DataFile Data(int64_t sequence_number) {
  return {.file_path = "/d/a.parquet", .record_count = 1, .sequence_number = sequence_number};
}

DataFile Deletes(Content content, int64_t sequence_number) {
  return {.content = content, .file_path = "/d/x.parquet", .record_count = 1, .sequence_number = sequence_number};
}

bool Applies(const DataFile& deletes, const DataFile& data, bool unpartitioned = true) {
  DeleteIndex index;
  index.Add(deletes, unpartitioned);
  return index.Of(data).size() == 1;
}

// Spec, "Scan Planning".
TEST(DeleteIndex, SequenceNumbersDecide) {
  EXPECT_FALSE(Applies(Deletes(Content::kPositionDeletes, 4), Data(5)));
  EXPECT_TRUE(Applies(Deletes(Content::kPositionDeletes, 5), Data(5)));
  EXPECT_TRUE(Applies(Deletes(Content::kPositionDeletes, 6), Data(5)));
  EXPECT_FALSE(Applies(Deletes(Content::kEqualityDeletes, 4), Data(5)));
  EXPECT_FALSE(Applies(Deletes(Content::kEqualityDeletes, 5), Data(5)));
  EXPECT_TRUE(Applies(Deletes(Content::kEqualityDeletes, 6), Data(5)));
}

TEST(DeleteIndex, SpecsAndPartitionsMustBeTheSame) {
  for (auto content : {Content::kPositionDeletes, Content::kEqualityDeletes}) {
    auto deletes = Deletes(content, 9), data = Data(5);
    deletes.spec_id = data.spec_id = 2;
    deletes.partition = data.partition = {Literal(std::string("null")), Literal{}};
    EXPECT_TRUE(Applies(deletes, data, false));
    data.partition[0] = Literal{};
    EXPECT_FALSE(Applies(deletes, data, false)) << "a null is not the text";
    data.partition = deletes.partition;
    data.spec_id = 3;
    EXPECT_FALSE(Applies(deletes, data, false));
    EXPECT_EQ(Applies(deletes, data, true), content == Content::kEqualityDeletes);
  }
}

TEST(DeleteIndex, PositionsOfOneFileApplyToItAlone) {
  auto deletes = Deletes(Content::kPositionDeletes, 9);
  deletes.referenced_data_file = "/d/a.parquet";
  EXPECT_TRUE(Applies(deletes, Data(5)));
  deletes.referenced_data_file = "/d/b.parquet";
  EXPECT_FALSE(Applies(deletes, Data(5)));
}

/// Bounds may be cut off: the upper one to less than the path, where the writer did not round it up.
TEST(DeleteIndex, PathsOutsideOfTheBoundsAreNotNamed) {
  auto within = [](const char* lower, const char* upper) {
    auto deletes = Deletes(Content::kPositionDeletes, 9);
    deletes.lower_bounds[kDeletedPath] = lower;
    deletes.upper_bounds[kDeletedPath] = upper;
    return Applies(deletes, Data(5));
  };
  EXPECT_TRUE(within("/d/a.parquet", "/d/a.parquet"));
  EXPECT_TRUE(within("/d/a", "/d/b"));
  EXPECT_TRUE(within("/d", "/d"));
  EXPECT_FALSE(within("/d/b.parquet", "/d/c.parquet"));
  EXPECT_FALSE(within("/c", "/d/a.orc"));
}

TEST(DataFileJson, TakesDeletesAlong) {
  auto file = Data(5);
  auto deletes = Deletes(Content::kEqualityDeletes, 6);
  deletes.equality_ids = {3, 1};
  deletes.format = "AVRO";
  file.deletes.push_back(std::make_shared<const DataFile>(deletes));
  auto again = ParseDataFile(DataFileToJson(file));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->sequence_number, 5);
  ASSERT_EQ(again->deletes.size(), 1U);
  EXPECT_EQ(again->deletes[0]->content, Content::kEqualityDeletes);
  EXPECT_EQ(again->deletes[0]->sequence_number, 6);
  EXPECT_EQ(again->deletes[0]->equality_ids, (std::vector{3, 1}));
  EXPECT_EQ(again->deletes[0]->format, "AVRO");
  auto within = DataFileToJson(file);
  within["deletes"].as_array()[0].as_object()["content"] = 0;
  EXPECT_FALSE(ParseDataFile(within)) << "data is no delete";
  within["deletes"].as_array()[0].as_object()["content"] = 7;
  EXPECT_FALSE(ParseDataFile(within));
}

}  // namespace
}  // namespace slipway::iceberg
