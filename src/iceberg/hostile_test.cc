#include <arrow/util/compression.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <filesystem>

#include "base/file.h"
#include "base/format.h"
#include "base/ids.h"
#include "iceberg/avro_container.h"
#include "iceberg/manifest.h"
#include "iceberg/metadata_file.h"
#include "iceberg/unpack.h"

/// Files that were made to take memory, time, or what is not theirs. Each is small: what it claims is not.
namespace slipway::iceberg {
namespace {

namespace fs = std::filesystem;
using avro::Encoder;

std::string Zstandard(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

std::string Snappy(const std::string& bytes) {
  auto codec = arrow::util::Codec::Create(arrow::Compression::SNAPPY).ValueOrDie();
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  const auto size = static_cast<int64_t>(bytes.size());
  std::string out(static_cast<size_t>(codec->MaxCompressedLen(size, data)), '\0');
  auto* into = reinterpret_cast<uint8_t*>(out.data());
  out.resize(static_cast<size_t>(codec->Compress(size, data, static_cast<int64_t>(out.size()), into).ValueOrDie()));
  return out;
}

/// window: as of deflateInit2.
std::string Zlib(const std::string& bytes, int window) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// A container file of one block.
std::string Container(const std::string& schema, const std::string& codec, int64_t count, const std::string& block) {
  Encoder file;
  const std::string sync(16, 's');
  file.Fixed(std::string("Obj\1", 4));
  file.Long(2);
  file.Bytes("avro.schema");
  file.Bytes(schema);
  file.Bytes("avro.codec");
  file.Bytes(codec);
  file.Long(0);
  file.Fixed(sync);
  file.Long(count);
  file.Bytes(block);
  file.Fixed(sync);
  return file.Take();
}

constexpr auto kListSchema = R"({"type":"record","name":"manifest_file","fields":[
  {"name":"manifest_path","type":"string","field-id":500},{"name":"manifest_length","type":"long","field-id":501}]})";
constexpr auto kEntrySchema = R"({"type":"record","name":"manifest_entry","fields":[
  {"name":"status","type":"int","field-id":0},{"name":"data_file","field-id":2,"type":{"type":"record","name":"r2",
   "fields":[{"name":"file_path","type":"string","field-id":100},{"name":"record_count","type":"long","field-id":103},
             {"name":"split_offsets","field-id":132,"type":{"type":"array","items":"null"}}]}}]})";

void Refused(const auto& result, ErrorKind kind, const std::string& words) {
  ASSERT_FALSE(result) << words;
  EXPECT_EQ(result.error().kind, kind) << result.error().message;
  EXPECT_NE(result.error().message.find(words), std::string::npos) << result.error().message;
}

TEST(Bomb, OfEveryPackingStopsAtItsLimit) {
  const std::string zeros(size_t{64} << 20, '\0');
  const std::pair<Packing, std::string> bombs[] = {{Packing::kZstandard, Zstandard(zeros)},
                                                   {Packing::kDeflate, Zlib(zeros, -MAX_WBITS)},
                                                   {Packing::kGzip, Zlib(zeros, MAX_WBITS + 16)}};
  for (const auto& [packing, bytes] : bombs) {
    EXPECT_LT(bytes.size(), 100'000);
    Refused(Unpack(packing, bytes, 1 << 20), ErrorKind::kTooLarge, "hold more than 1048576 bytes");
    EXPECT_EQ(Unpack(packing, bytes, zeros.size()).value().size(), zeros.size());
    Refused(Unpack(packing, bytes.substr(0, bytes.size() / 2), zeros.size()), ErrorKind::kCorrupt,
            "damaged or cut off");
  }
  auto members = Zlib("ab", MAX_WBITS + 16) + Zlib("", MAX_WBITS + 16) + Zlib("c", MAX_WBITS + 16);
  EXPECT_EQ(Unpack(Packing::kGzip, members, 3).value(), "abc");
  Refused(Unpack(Packing::kGzip, members, 2), ErrorKind::kTooLarge, "more than 2 bytes");
}

/// Spark's `write.avro.compression-codec=snappy` and Flink write such manifests.
TEST(Snappy, BlocksHoldAChecksumOfWhatTheyHold) {
  Encoder entry;
  entry.Bytes("file:///m.avro");
  entry.Long(7);
  const auto bytes = entry.Take();
  auto crc = static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
  auto block = Snappy(bytes);
  for (int shift : {24, 16, 8, 0}) block += static_cast<char>(crc >> shift);
  auto manifests = ReadManifestList(Container(kListSchema, "snappy", 1, block));
  ASSERT_TRUE(manifests) << manifests.error().message;
  EXPECT_EQ(manifests->front().manifest_path, "file:///m.avro");
  EXPECT_EQ(manifests->front().manifest_length, 7);
  block.back() = static_cast<char>(block.back() + 1);
  Refused(ReadManifestList(Container(kListSchema, "snappy", 1, block)), ErrorKind::kCorrupt,
          "does not fit its checksum");
  Refused(ReadManifestList(Container(kListSchema, "snappy", 1, "abc")), ErrorKind::kCorrupt, "is cut off");
}

TEST(Snappy, WhatItClaimsIsHeldToTheLimit) {
  const std::string zeros(size_t{4} << 20, '\0');
  auto packed = Snappy(zeros);
  EXPECT_EQ(Unpack(Packing::kSnappy, packed, zeros.size()).value(), zeros);
  Refused(Unpack(Packing::kSnappy, packed, zeros.size() - 1), ErrorKind::kTooLarge, "hold more than");
  Refused(Unpack(Packing::kSnappy, packed.substr(0, packed.size() / 2), zeros.size()), ErrorKind::kCorrupt, "damaged");
  Refused(Unpack(Packing::kSnappy, "\xff\xff\xff\xff\x0f", zeros.size()), ErrorKind::kTooLarge, "hold more than");
  Refused(Unpack(Packing::kSnappy, "\xff\xff", zeros.size()), ErrorKind::kCorrupt, "damaged");
}

TEST(Bomb, InAnAvroBlockIsSeenByItsRatio) {
  const std::string empties(size_t{64} << 20, '\0');  // so many empty paths
  for (const auto& [codec, block] :
       {std::pair<std::string, std::string>{"zstandard", Zstandard(empties)}, {"deflate", Zlib(empties, -MAX_WBITS)}}) {
    auto file = Container(kListSchema, codec, 10, block);
    Refused(ReadManifestList(file), ErrorKind::kTooLarge, "packed bytes hold more than");
  }
}

TEST(ManifestList, TenMillionManifestsClaimedAreRefusedFirst) {
  Encoder block;
  block.Bytes("s3://b/m.avro");
  block.Long(1);
  auto claimed = [&](int64_t count) { return ReadManifestList(Container(kListSchema, "null", count, block.bytes())); };
  Refused(claimed(10'000'000), ErrorKind::kCorrupt, "claims 10000000 values, but has");
  Refused(claimed(INT64_MAX), ErrorKind::kCorrupt, "claims");
  EXPECT_EQ(claimed(1).value().size(), 1);
  const std::string many(size_t{20} << 20, '\0');
  Refused(ReadManifestList(Container(kListSchema, "null", 10'000'000, many)), ErrorKind::kTooLarge,
          "more than 100000 manifests: rewrite the table's manifests, or raise the setting tables.manifests");
}

TEST(ManifestList, ThatNamesAManifestTwiceIsDamaged) {
  Encoder block;
  for (int i = 0; i < 2; ++i) {
    block.Bytes("s3://b/m.avro");
    block.Long(1);
  }
  Refused(ReadManifestList(Container(kListSchema, "null", 2, block.bytes())), ErrorKind::kCorrupt,
          "names s3://b/m.avro twice");
  Refused(ReadManifestList(Container(kListSchema, "null", 1, std::string(2, '\0'))), ErrorKind::kCorrupt,
          "damaged at entry 0");
}

TEST(Manifest, ThatClaimsItemsWithoutBytesIsDamaged) {
  Encoder block;
  block.Long(1);
  block.Bytes("s3://b/d.parquet");
  block.Long(5);
  block.Long(int64_t{1} << 40);  // nulls, of no bytes each
  Refused(ReadManifest(Container(kEntrySchema, "null", 1, block.bytes()), {}, {}), ErrorKind::kCorrupt,
          "damaged at entry 0");
}

TEST(Manifest, OfAListIsNone) {  // a manifest list that names itself
  Encoder block;
  block.Bytes("s3://b/m.avro");
  block.Long(1);
  Refused(ReadManifest(Container(kListSchema, "null", 1, block.bytes()), {}, {}), ErrorKind::kCorrupt,
          "damaged at entry 0");
}

TEST(Manifest, NumbersThatOverflowASumAreDamage) {
  Encoder block;
  block.Long(1);
  block.Bytes("s3://b/d.parquet");
  block.Long(INT64_MAX);
  block.Long(0);
  Refused(ReadManifest(Container(kEntrySchema, "null", 1, block.bytes()), {}, {}), ErrorKind::kCorrupt, "damaged");
}

TEST(Manifest, HasNoMoreEntriesThanTheLimit) {
  Encoder block;
  for (int i = 0; i < 3; ++i) {
    block.Long(1);
    block.Bytes("s3://b/d.parquet");
    block.Long(5);
    block.Long(0);
  }
  auto file = Container(kEntrySchema, "null", 3, block.bytes());
  EXPECT_EQ(ReadManifest(file, {}, {}, nullptr, 3).value().size(), 3);
  Refused(ReadManifest(file, {}, {}, nullptr, 2), ErrorKind::kTooLarge, "tables.data_files");
}

TEST(AvroSchema, OfRecordsThatNameEachOtherTwiceIsCounted) {
  std::string fields = R"({"name":"f0","type":{"type":"record","name":"a0","fields":[]}})";
  for (int i = 1; i < 30; ++i)
    fields += fmt::format(R"(,{{"name":"f{0}","type":{{"type":"record","name":"a{0}","fields":[{{"name":"x",)"
                          R"("type":"a{1}"}},{{"name":"y","type":"a{1}"}}]}}}})",
                          i, i - 1);
  auto schema = R"({"type":"record","name":"all","fields":[)" + fields + "]}";
  Refused(avro::ParseSchema(schema), ErrorKind::kCorrupt, "too large");
}

class MetadataFile : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  Result<TableMetadata> Read(const std::string& text, TableLimits limits = {}) {
    auto file = folder_ / NewUuid();
    EXPECT_TRUE(WriteFileAtomically(file, text));
    return ReadMetadata(io_, file.string(), limits);
  }
  fs::path folder_ = fs::temp_directory_path() / ("slipway-hostile-" + NewUuid());
  FileIo io_;
};

TEST_F(MetadataFile, PackedByGzipIsRead) {
  auto metadata = NewMetadata("s3://b/t", {}, {}, 0).value();
  EXPECT_EQ(Read(Zlib(Serialize(metadata), MAX_WBITS + 16)).value().location, "s3://b/t");
}

TEST_F(MetadataFile, ThatIsTooLargeIsRefusedPackedOrNot) {
  TableLimits limits{.metadata_bytes = 1 << 20};
  Refused(Read(std::string(2 << 20, ' '), limits), ErrorKind::kTooLarge, "is larger than 1048576 bytes");
  Refused(Read(Zlib(std::string(64 << 20, ' '), MAX_WBITS + 16), limits), ErrorKind::kTooLarge, "more than 1048576");
}

TEST_F(MetadataFile, ThatTakesManyTimesItsSizeIsRefused) {
  auto repeated = [](const std::string& item) {
    std::string text = R"({"format-version":2,"snapshots":[)";
    for (size_t i = 0; i < (size_t{4} << 20) / item.size(); ++i) text += item + ",";
    return text + "0]}";
  };
  for (const auto* item : {"[]", "0", R"({"":0})", R"({"a":[]})", R"("")"})
    Refused(Read(repeated(item)), ErrorKind::kTooLarge, "bytes of memory");
  Refused(Read(std::string(100'000, '[')), ErrorKind::kInvalid, "JSON: ");
}

TEST_F(MetadataFile, OfManySnapshotsIsRead) {
  auto metadata = NewMetadata("s3://b/t", {}, {}, 0).value();
  Snapshot snapshot{
      .snapshot_id = 7, .timestamp_ms = 1, .manifest_list = "s3://bucket/warehouse/t/metadata/snap-7.avro"};
  for (const auto* key : {"total-records", "added-records", "total-data-files", "added-data-files", "total-files-size",
                          "added-files-size", "changed-partition-count", "slipway.run-id", "slipway.model-version"})
    snapshot.summary[key] = "12345";
  auto one = WithSnapshot(metadata, "", snapshot).value().raw.at("snapshots").as_array()[0];
  auto& all = metadata.raw["snapshots"].emplace_array();
  for (int i = 0; i < 20'000; ++i) all.push_back(one);
  EXPECT_EQ(Read(Serialize(metadata)).value().snapshots.size(), 20'000);
}

}  // namespace
}  // namespace slipway::iceberg
