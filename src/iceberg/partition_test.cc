#include "iceberg/partition.h"

#include <gtest/gtest.h>

#include <set>

#include "iceberg/testing/values.h"

namespace slipway::iceberg {
namespace {

using slipway::testing::GoldenCase;

class TransformGolden : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(TransformGolden, ValuesArePyIcebergs) {
  auto transform = ParseTransform(GetParam().text("transform"));
  ASSERT_TRUE(transform) << transform.error().message;
  EXPECT_EQ(ToString(*transform), GetParam().text("transform"));
  auto source = testing::TypeOf(GetParam().text("type")), result = testing::TypeOf(GetParam().text("result"));
  const auto& at = GetParam().at("at").as_array();
  const auto& want = GetParam().at("want").as_array();
  for (size_t i = 0; i < at.size(); ++i) {
    auto value = Apply(*transform, source, testing::LiteralOf(at[i], source));
    ASSERT_TRUE(value) << value.error().message;
    EXPECT_EQ(testing::Shown(*value, ResultType(*transform, source)),
              testing::Shown(testing::LiteralOf(want[i], result), result))
        << "of " << testing::Shown(testing::LiteralOf(at[i], source), source);
  }
}

/// What is in a partition lies in the range that InvertTransform gives for its value.
TEST_P(TransformGolden, TheInverseHoldsEveryValue) {
  auto transform = ParseTransform(GetParam().text("transform")).value();
  auto source = testing::TypeOf(GetParam().text("type")), result = testing::TypeOf(GetParam().text("result"));
  const auto& at = GetParam().at("at").as_array();
  const auto& want = GetParam().at("want").as_array();
  if (source.id == TypeId::kDecimal) return;  // two's complement of any length: bytes have no order
  for (size_t i = 0; i < at.size(); ++i) {
    auto value = testing::LiteralOf(at[i], source), partition = testing::LiteralOf(want[i], result);
    if (IsNull(value) || IsNull(partition)) continue;
    auto range = InvertTransform(transform, source, partition, partition);
    EXPECT_TRUE(!range.lower || Compare(*range.lower, value) <= 0) << testing::Shown(value, source);
    EXPECT_TRUE(!range.upper || Compare(*range.upper, value) >= 0) << testing::Shown(value, source);
  }
}

INSTANTIATE_TEST_SUITE_P(PyIceberg, TransformGolden,
                         ::testing::ValuesIn(slipway::testing::GoldenCases("iceberg/transforms.json")),
                         slipway::testing::CaseName);

/// Fractions, decimals, times and bytes have texts of their own in Slipway's folders; nobody reads them back.
bool SharesTexts(const Transform& transform, const Type& type) {
  if (transform.kind != TransformKind::kIdentity && transform.kind != TransformKind::kTruncate) return true;
  return type.id == TypeId::kBoolean || type.id == TypeId::kInt || type.id == TypeId::kLong ||
         type.id == TypeId::kDate || type.id == TypeId::kString;
}

class PathGolden : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(PathGolden, FoldersArePyIcebergs) {
  auto spec = ParsePartitionSpec(GetParam().at("spec"));
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(json::value(FieldsToJson(*spec)), GetParam().at("spec").at("fields"));
  auto schema = ParseSchema(GetParam().at("schema"));
  ASSERT_TRUE(schema) << schema.error().message;
  auto result = testing::TypeOf(GetParam().text("result"));
  const auto& values = GetParam().at("values").as_array();
  const auto& numbers = GetParam().at("numbers").as_array();
  const auto& paths = GetParam().at("paths").as_array();
  std::set<std::string> seen;
  for (size_t i = 0; i < values.size(); ++i) {
    PartitionTuple tuple{testing::LiteralOf(values[i], result),
                         numbers[i].is_null() ? Literal{} : Literal(numbers[i].as_int64())};
    auto path = PartitionPath(*spec, *schema, tuple);
    if (SharesTexts(spec->fields[0].transform, schema->fields[0].type)) {
      EXPECT_EQ(path, std::string(paths[i].as_string()));
    }
    EXPECT_EQ(path.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~+%=/"),
              std::string::npos)
        << path;
    bool distinct = spec->fields[0].transform.kind == TransformKind::kIdentity;
    EXPECT_TRUE(seen.insert(path).second || !distinct) << path << " is another partition's folder too";
  }
}

INSTANTIATE_TEST_SUITE_P(PyIceberg, PathGolden,
                         ::testing::ValuesIn(slipway::testing::GoldenCases("iceberg/paths.json")),
                         slipway::testing::CaseName);

// The values of the spec, "Appendix B: 32-bit Hash Requirements", by 2^31 - 1 buckets.
TEST(Transform, BucketHashesAreTheSpecs) {
  Transform bucket{TransformKind::kBucket, 0x7fffffff};
  auto hash = [&](const Literal& value, TypeId type) {
    return std::get<int64_t>(Apply(bucket, {type}, value).value());
  };
  constexpr int64_t kPositive = 0x7fffffff;
  EXPECT_EQ(hash(Literal(int64_t{34}), TypeId::kInt), 2017239379);
  EXPECT_EQ(hash(Literal(int64_t{34}), TypeId::kLong), 2017239379);
  EXPECT_EQ(hash(Literal(std::string("iceberg")), TypeId::kString), 1210000089);
  EXPECT_EQ(hash(Literal(int64_t{17486}), TypeId::kDate), -653330422 & kPositive);
  EXPECT_EQ(hash(Literal(int64_t{81068000000}), TypeId::kTime), -662762989 & kPositive);
  EXPECT_EQ(hash(Literal(int64_t{1510871468000000}), TypeId::kTimestamptz), -2047944441 & kPositive);
  EXPECT_EQ(hash(Literal(slipway::testing::FromHex("00010203")), TypeId::kBinary), -188683207 & kPositive);
  EXPECT_EQ(hash(Literal(slipway::testing::FromHex("f79c3e09677c4bbda4793f349cb785e7")), TypeId::kUuid), 1488055340);
}

TEST(Transform, TruncateAndMonthsBelowZero) {
  Transform truncate{TransformKind::kTruncate, 10};
  EXPECT_EQ(Apply(truncate, {TypeId::kInt}, Literal(int64_t{-1})).value(), Literal(int64_t{-10}));
  EXPECT_EQ(Apply({TransformKind::kMonth}, {TypeId::kDate}, Literal(int64_t{-1})).value(), Literal(int64_t{-1}));
  EXPECT_EQ(Apply({TransformKind::kYear}, {TypeId::kDate}, Literal(int64_t{-366})).value(), Literal(int64_t{-2}));
}

TEST(Transform, UnknownOnesAreRefusedByName) {
  for (const auto* text :
       {"", "zorder", "bucket", "bucket[]", "bucket[0]", "bucket[-4]", "truncate[x]", "Year", "hours"}) {
    auto transform = ParseTransform(text);
    ASSERT_FALSE(transform) << text;
    EXPECT_EQ(transform.error().kind, ErrorKind::kUnsupported);
    EXPECT_NE(transform.error().message.find("'" + std::string(text) + "'"), std::string::npos)
        << transform.error().message;
  }
}

TEST(PartitionSpec, FieldIdsOfVersion1AreCountedFrom1000) {
  auto fields = json::array{json::object{{"source-id", 1}, {"name", "a"}, {"transform", "identity"}},
                            json::object{{"source-id", 2}, {"name", "b"}, {"transform", "day"}}};
  auto spec = ParsePartitionSpec(json::object{{"spec-id", 0}, {"fields", fields}});
  ASSERT_TRUE(spec) << spec.error().message;
  EXPECT_EQ(spec->fields[0].field_id, 1000);
  EXPECT_EQ(spec->fields[1].field_id, 1001);
}

TEST(PartitionPath, NoFieldsAreNoFolder) { EXPECT_EQ(PartitionPath({}, {}, {}), ""); }

}  // namespace
}  // namespace slipway::iceberg
