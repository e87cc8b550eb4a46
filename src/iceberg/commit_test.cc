#include "iceberg/commit.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "base/file.h"

namespace slipway::iceberg {
namespace {

constexpr size_t kLargestGolden = size_t{1} << 20;

TableMetadata Golden(const std::string& name) {
  auto text = ReadFile(std::string(SLIPWAY_GOLDEN) + "/iceberg/" + name, kLargestGolden);
  EXPECT_TRUE(text) << name;
  auto metadata = ParseMetadata(*text);
  EXPECT_TRUE(metadata) << metadata.error().message;
  return *metadata;
}

int64_t At(const boost::json::value& entry, const char* key) { return entry.at(key).as_int64(); }

// clock_ahead.metadata.json: two appends by PyIceberg 0.12 whose clock was an hour ahead. What Iceberg's Java library
// asks of a table when it opens it (TableMetadata's constructor): a sorted snapshot log, and a last update that is not
// before its last entry, nor before the metadata log's.
TEST(Commit, TimeInATableNeverGoesBack) {
  auto base = Golden("clock_ahead.metadata.json");
  const auto hour_ago = base.raw.at("last-updated-ms").as_int64() - 3'600'000;
  auto metadata = base;
  for (int round = 0; round < 3; ++round) {  // also one after another within a millisecond
    Snapshot snapshot{.snapshot_id = 100 + round,
                      .sequence_number = metadata.last_sequence_number + 1,
                      .timestamp_ms = NextTimestamp(metadata, hour_ago)};
    snapshot.summary["operation"] = "append";
    auto next = WithSnapshot(metadata, "file:///lake/metadata/00002.metadata.json", snapshot);
    ASSERT_TRUE(next) << next.error().message;
    metadata = *next;
  }
  int64_t last = 0;
  for (const auto& entry : metadata.raw.at("snapshot-log").as_array()) {
    EXPECT_GT(At(entry, "timestamp-ms"), last);
    last = At(entry, "timestamp-ms");
  }
  EXPECT_EQ(metadata.raw.at("snapshot-log").as_array().size(), 5U);
  EXPECT_GE(metadata.raw.at("last-updated-ms").as_int64(), last);
  int64_t written = 0;
  for (const auto& entry : metadata.raw.at("metadata-log").as_array()) {
    EXPECT_GE(At(entry, "timestamp-ms"), written);
    written = At(entry, "timestamp-ms");
  }
  EXPECT_GE(metadata.raw.at("last-updated-ms").as_int64(), written);
}

TEST(Commit, ATimestampIsNowWhereNothingIsLater) {
  auto base = Golden("clock_ahead.metadata.json");
  const auto later = base.raw.at("last-updated-ms").as_int64() + 5'000;
  EXPECT_EQ(NextTimestamp(base, later), later);
}

}  // namespace
}  // namespace slipway::iceberg
