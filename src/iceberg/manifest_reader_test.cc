#include <gtest/gtest.h>

#include "iceberg/manifest.h"
#include "iceberg/testing/values.h"

namespace slipway::iceberg {
namespace {

using slipway::testing::GoldenBytes;
using slipway::testing::GoldenCase;

template <typename T>
json::object Shown(const std::map<int, T>& values) {
  json::object object;
  for (const auto& [id, value] : values) {
    if constexpr (std::is_same_v<T, std::string>)
      object[std::to_string(id)] = slipway::testing::ToHex(value);
    else
      object[std::to_string(id)] = value;
  }
  return object;
}

/// Decimals stand in a manifest in as many bytes as their type needs; PyIceberg shows them in as few as they need.
std::string Shortest(std::string bytes) {
  while (bytes.size() > 1 && (bytes[0] == '\0' || bytes[0] == '\xff') && ((bytes[0] ^ bytes[1]) & 0x80) == 0)
    bytes.erase(0, 1);
  return bytes;
}

/// An entry as the golden files show PyIceberg's.
json::object Shown(const ManifestEntry& entry, const std::vector<Type>& types) {
  const auto& file = entry.file;
  json::array partition;
  for (size_t i = 0; i < file.partition.size(); ++i) {
    if (IsNull(file.partition[i]))
      partition.emplace_back(nullptr);
    else if (types[i].id == TypeId::kDecimal)
      partition.emplace_back(slipway::testing::ToHex(Shortest(std::get<std::string>(file.partition[i]))));
    else
      partition.emplace_back(testing::Shown(file.partition[i], types[i]));
  }
  json::object shown{{"path", file.file_path},
                     {"rows", file.record_count},
                     {"bytes", file.file_size_in_bytes},
                     {"column_sizes", Shown(file.column_sizes)},
                     {"value_counts", Shown(file.value_counts)},
                     {"null_value_counts", Shown(file.null_value_counts)},
                     {"nan_value_counts", Shown(file.nan_value_counts)},
                     {"lower_bounds", Shown(file.lower_bounds)},
                     {"upper_bounds", Shown(file.upper_bounds)},
                     {"split_offsets", json::array(file.split_offsets.begin(), file.split_offsets.end())},
                     {"sort_order_id", nullptr},
                     {"status", static_cast<int>(entry.status)},
                     {"partition", std::move(partition)}};
  if (file.sort_order_id) shown["sort_order_id"] = *file.sort_order_id;
  return shown;
}

class ManifestGolden : public ::testing::TestWithParam<GoldenCase> {};

/// Versions 1 and 2, uncompressed, deflated and with zstandard; partitions of every type with nulls.
TEST_P(ManifestGolden, EntriesArePyIcebergs) {
  auto spec = ParsePartitionSpec(GetParam().at("spec")).value();
  std::vector<Type> types;
  for (const auto& type : GetParam().at("types").as_array()) types.push_back(testing::TypeOf(type.as_string()));
  ManifestFile manifest;
  manifest.added_snapshot_id = 77;
  manifest.sequence_number = GetParam().at("version").as_int64() == 1 ? 0 : 9;
  auto entries = ReadManifest(GoldenBytes("iceberg/" + GetParam().text("file")), manifest, spec);
  ASSERT_TRUE(entries) << entries.error().message;
  const auto& want = GetParam().at("entries").as_array();
  ASSERT_EQ(entries->size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    auto got = Shown((*entries)[i], types);
    for (const auto& member : want[i].as_object())
      EXPECT_EQ(got.at(member.key()), member.value()) << member.key() << " of entry " << i;
    EXPECT_EQ((*entries)[i].file.spec_id, 2);
    if (i % 3 != 1) {
      EXPECT_EQ((*entries)[i].snapshot_id, 77) << "entry " << i;
      EXPECT_EQ((*entries)[i].sequence_number, manifest.sequence_number) << "entry " << i;
    } else {
      EXPECT_EQ((*entries)[i].snapshot_id, 55) << "entry " << i;
      EXPECT_EQ((*entries)[i].sequence_number, manifest.sequence_number == 0 ? 0 : 4) << "entry " << i;
      EXPECT_EQ((*entries)[i].file_sequence_number, manifest.sequence_number == 0 ? 0 : 3) << "entry " << i;
    }
  }
}

/// PyIceberg writes a block for each entry: a file that ends where a block does is a whole one with fewer entries.
TEST_P(ManifestGolden, CutsInABlockAreDamage) {
  auto bytes = GoldenBytes("iceberg/" + GetParam().text("file"));
  auto spec = ParsePartitionSpec(GetParam().at("spec")).value();
  size_t whole = 0;
  for (size_t size = 0; size < bytes.size(); size += size < 64 || size + 64 > bytes.size() ? 1 : 41) {
    auto entries = ReadManifest(bytes.substr(0, size), {}, spec);
    if (entries) {
      ++whole;
      EXPECT_LT(entries->size(), GetParam().at("entries").as_array().size())
          << size << " of " << bytes.size() << " bytes";
    } else {
      EXPECT_EQ(entries.error().kind, ErrorKind::kCorrupt) << entries.error().message;
    }
  }
  EXPECT_LE(whole, GetParam().at("entries").as_array().size()) << "cuts between blocks";
}

INSTANTIATE_TEST_SUITE_P(PyIceberg, ManifestGolden,
                         ::testing::ValuesIn(slipway::testing::GoldenCases("iceberg/manifests.json")),
                         slipway::testing::CaseName);

json::object Shown(const ManifestFile& manifest) {
  auto count = [](int64_t value) { return value == -1 ? json::value(nullptr) : json::value(value); };
  json::array partitions;
  for (const auto& field : manifest.partitions) {
    auto bound = [](const std::optional<std::string>& bytes) {
      return bytes ? json::value(slipway::testing::ToHex(*bytes)) : json::value(nullptr);
    };
    partitions.push_back(json::array{field.contains_null,
                                     field.contains_nan ? json::value(*field.contains_nan) : json::value(nullptr),
                                     bound(field.lower_bound), bound(field.upper_bound)});
  }
  return {{"path", manifest.manifest_path},
          {"length", manifest.manifest_length},
          {"spec", manifest.partition_spec_id},
          {"content", manifest.content},
          {"sequence", manifest.sequence_number},
          {"min_sequence", manifest.min_sequence_number},
          {"snapshot", manifest.added_snapshot_id},
          {"counts", json::array{count(manifest.added_files_count), count(manifest.existing_files_count),
                                 count(manifest.deleted_files_count)}},
          {"rows", json::array{count(manifest.added_rows_count), count(manifest.existing_rows_count),
                               count(manifest.deleted_rows_count)}},
          {"partitions", std::move(partitions)}};
}

class ManifestListGolden : public ::testing::TestWithParam<GoldenCase> {};

/// Also lists without manifests: PyIceberg writes them, for an append without rows, with one block of no values.
TEST_P(ManifestListGolden, ManifestsArePyIcebergs) {
  auto manifests = ReadManifestList(GoldenBytes("iceberg/" + GetParam().text("file")));
  ASSERT_TRUE(manifests) << manifests.error().message;
  json::array got;
  for (const auto& manifest : *manifests) got.push_back(Shown(manifest));
  EXPECT_EQ(json::value(std::move(got)), GetParam().at("manifests"));
}

INSTANTIATE_TEST_SUITE_P(PyIceberg, ManifestListGolden,
                         ::testing::ValuesIn(slipway::testing::GoldenCases("iceberg/manifest_lists.json")),
                         slipway::testing::CaseName);

}  // namespace
}  // namespace slipway::iceberg
