#include <gtest/gtest.h>

#include "iceberg/avro_container.h"
#include "iceberg/manifest.h"

namespace slipway::iceberg {
namespace {

// A manifest as another writer may make it: a decimal partition value as the spec wants it (fixed), a key, a field of
// data_file and one of the entry that Slipway has never heard of.
constexpr std::string_view kSchema = R"({"type": "record", "name": "manifest_entry", "fields": [
  {"name": "status", "type": "int", "field-id": 0},
  {"name": "snapshot_id", "type": ["null", "long"], "field-id": 1},
  {"name": "data_file", "field-id": 2, "type": {"type": "record", "name": "r2", "fields": [
    {"name": "content", "type": "int", "field-id": 134},
    {"name": "file_path", "type": "string", "field-id": 100},
    {"name": "file_format", "type": "string", "field-id": 101},
    {"name": "partition", "field-id": 102, "type": {"type": "record", "name": "r102", "fields": [
      {"name": "price", "field-id": 1000, "type": ["null",
        {"type": "fixed", "size": 5, "name": "decimal_12_2", "logicalType": "decimal", "precision": 12, "scale": 2}]}]}},
    {"name": "record_count", "type": "long", "field-id": 103},
    {"name": "file_size_in_bytes", "type": "long", "field-id": 104},
    {"name": "key_metadata", "type": ["null", "bytes"], "field-id": 131},
    {"name": "invented", "type": "string", "field-id": 999}]}},
  {"name": "of_the_entry", "type": ["null", "long"], "field-id": 900}]})";

const PartitionSpec kSpec{3, {{4, 1000, "price", {}}}};

std::string Written() {
  avro::ContainerWriter writer(kSchema, {{"format-version", "2"}, {"partition-spec-id", "3"}, {"theirs", "kept"}});
  for (const auto* name : {"file:///a.parquet", "file:///b.parquet"}) {
    auto& out = writer.encoder();
    out.Long(1);
    out.Branch(0);
    out.Long(0);
    out.Bytes(name);
    out.Bytes("PARQUET");
    out.Branch(1);
    out.Fixed(std::string_view("\0\0\0\x04\xd2", 5));
    out.Long(10);
    out.Long(1000);
    out.Branch(1);
    out.Bytes(std::string(name) + "'s key");
    out.Bytes("x");
    out.Branch(1);
    out.Long(77);
    writer.Added();
  }
  return writer.Finish();
}

TEST(ReadManifest, DataAmongDeletesIsDamage) {
  auto entries = ReadManifest(Written(), {.content = 1}, kSpec);
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(entries.error().message, "a manifest of deletes holds file:///a.parquet, a file of data");
}

TEST(RewriteManifest, KeepsWhatItDoesNotKnow) {
  ManifestOrigin origin;
  ManifestFile listed{.sequence_number = 5, .added_snapshot_id = 9};
  auto entries = ReadManifest(Written(), listed, kSpec, &origin);
  ASSERT_TRUE(entries) << entries.error().message;
  ASSERT_EQ(entries->size(), 2U);
  (*entries)[0].status = ManifestEntry::Status::kDeleted;
  (*entries)[0].snapshot_id = 11;
  (*entries)[1].status = ManifestEntry::Status::kExisting;
  auto rewritten = RewriteManifest(2, origin, *entries);
  ASSERT_TRUE(rewritten) << rewritten.error().message;

  ManifestOrigin again_origin;
  auto again = ReadManifest(*rewritten, {.sequence_number = 12, .added_snapshot_id = 11}, kSpec, &again_origin);
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_EQ(again->size(), 2U);
  EXPECT_EQ((*again)[0].status, ManifestEntry::Status::kDeleted);
  EXPECT_EQ((*again)[0].snapshot_id, 11);
  EXPECT_EQ((*again)[1].snapshot_id, 9) << "inherited before, told now";
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*again)[i].sequence_number, 5);
    EXPECT_EQ((*again)[i].as_written, (*entries)[i].as_written);
    EXPECT_NE((*again)[i].as_written.find("'s key"), std::string::npos);
    EXPECT_EQ((*again)[i].file.partition, (*entries)[i].file.partition);
  }
  for (const auto* field : {"key_metadata", "invented", "of_the_entry", "decimal_12_2"})
    EXPECT_NE(again_origin.avro_schema.find(field), std::string::npos) << field;
  EXPECT_EQ(again_origin.header["theirs"], "kept");
  EXPECT_EQ(again_origin.header["content"], "data");
}

// A manifest of version 1 in a table that was upgraded: no content field, which version 2 asks for.
TEST(RewriteManifest, OfVersion1SaysThatItHoldsData) {
  std::string schema(kSchema);
  constexpr std::string_view kContent = R"({"name": "content", "type": "int", "field-id": 134},)";
  schema.erase(schema.find(kContent), kContent.size());
  avro::ContainerWriter writer(schema, {{"format-version", "1"}});
  auto& out = writer.encoder();
  out.Long(1);
  out.Branch(0);
  out.Bytes("file:///a.parquet");
  out.Bytes("PARQUET");
  out.Branch(0);
  out.Long(10);
  out.Long(1000);
  out.Branch(0);
  out.Bytes("x");
  out.Branch(0);
  writer.Added();
  ManifestOrigin origin;
  auto entries = ReadManifest(writer.Finish(), {.added_snapshot_id = 9}, kSpec, &origin);
  ASSERT_TRUE(entries) << entries.error().message;
  auto rewritten = RewriteManifest(2, origin, *entries);
  ASSERT_TRUE(rewritten) << rewritten.error().message;
  auto again = ReadManifest(*rewritten, {}, kSpec, &origin);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->front().file.file_path, "file:///a.parquet");
  EXPECT_EQ(again->front().file.record_count, 10);
  EXPECT_EQ(origin.header["format-version"], "2");
  EXPECT_NE(origin.avro_schema.find("134"), std::string::npos);
}

TEST(ManifestList, KeepsWhatItDoesNotKnow) {
  ManifestFile theirs{.manifest_path = "file:///theirs.avro", .sequence_number = 3};
  theirs.unknown[519] = {R"({"name":"key_metadata","type":["null","bytes"],"default":null,"field-id":519})",
                         std::string("\x06key", 4)};
  ManifestFile ours{.manifest_path = "file:///ours.avro", .sequence_number = 4};
  auto bytes = WriteManifestList({.snapshot_id = 1, .sequence_number = 4}, {ours, theirs});
  ASSERT_TRUE(bytes) << bytes.error().message;
  auto again = ReadManifestList(*bytes);
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_EQ(again->size(), 2U);
  EXPECT_TRUE((*again)[0].unknown.empty());
  EXPECT_EQ((*again)[0].sequence_number, 4);
  ASSERT_TRUE((*again)[1].unknown.contains(519));
  EXPECT_EQ((*again)[1].unknown.at(519).bytes, theirs.unknown[519].bytes);
  EXPECT_EQ((*again)[1].manifest_path, "file:///theirs.avro");
}

TEST(ManifestList, WhatCannotBeLeftOutIsRefused) {
  ManifestFile theirs{.manifest_path = "file:///theirs.avro"};
  theirs.unknown[999] = {R"({"name":"must","type":"long","field-id":999})", std::string("\x02", 1)};
  auto bytes = WriteManifestList({}, {theirs, {}});
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().kind, ErrorKind::kUnsupported);
}

}  // namespace
}  // namespace slipway::iceberg
