#include "iceberg/literal.h"

#include <arrow/array.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <cmath>

#include "iceberg/testing/values.h"

namespace slipway::iceberg {
namespace {

using slipway::testing::FromHex;
using slipway::testing::GoldenCase;

class BoundGolden : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(BoundGolden, ReadsAndWritesThePyIcebergBytes) {
  auto type = testing::TypeOf(GetParam().text("type"));
  auto bytes = FromHex(GetParam().text("bytes"));
  auto literal = FromBytes(bytes, type);
  ASSERT_TRUE(literal) << literal.error().message;
  const auto& value = GetParam().at("value");
  if (value.is_bool()) {
    EXPECT_EQ(*literal, Literal(value.as_bool()));
  } else if (value.is_int64()) {
    EXPECT_EQ(*literal, Literal(value.as_int64()));
  } else if (value.is_double()) {
    // A float's JSON is the double nearest to what Python was given.
    auto want = type.id == TypeId::kFloat ? static_cast<float>(value.as_double()) : value.as_double();
    EXPECT_EQ(*literal, Literal(static_cast<double>(want)));
  } else {
    EXPECT_EQ(*literal, Literal(bytes));
  }
  EXPECT_EQ(slipway::testing::ToHex(ToBytes(*literal, type)), GetParam().text("bytes"));
}

TEST_P(BoundGolden, RepeatsInAColumnAndComesBack) {
  auto type = testing::TypeOf(GetParam().text("type"));
  auto literal = FromBytes(FromHex(GetParam().text("bytes")), type).value();
  if (type.id == TypeId::kDecimal) return;  // its column cannot be compared yet (LiteralAt)
  auto column = Repeat(literal, type, 3);
  ASSERT_TRUE(column) << column.error().message;
  ASSERT_EQ((*column)->length(), 3);
  EXPECT_TRUE((*column)->type()->Equals(*ToArrow(type).value())) << (*column)->type()->ToString();
  auto again = LiteralAt(**column, 2);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, literal);
}

INSTANTIATE_TEST_SUITE_P(PyIceberg, BoundGolden,
                         ::testing::ValuesIn(slipway::testing::GoldenCases("iceberg/bounds.json")),
                         slipway::testing::CaseName);

TEST(Literal, BytesOfAPromotedTypeAreReadInTheirOldLength) {
  EXPECT_EQ(FromBytes(FromHex("feffffff"), {TypeId::kLong}).value(), Literal(int64_t{-2}));
  EXPECT_EQ(FromBytes(FromHex("0000c03f"), {TypeId::kDouble}).value(), Literal(1.5));
}

TEST(Literal, BytesThatDoNotFitAreDamage) {
  for (auto id : {TypeId::kBoolean, TypeId::kInt, TypeId::kLong, TypeId::kFloat, TypeId::kDouble, TypeId::kDate,
                  TypeId::kTime, TypeId::kTimestamp, TypeId::kTimestamptz})
    for (const auto* hex : {"", "0102", "010203", "010203040506", "010203040506070809"}) {
      auto literal = FromBytes(FromHex(hex), {id});
      ASSERT_FALSE(literal) << ToString(Type{id}) << " " << hex;
      EXPECT_EQ(literal.error().kind, ErrorKind::kCorrupt);
    }
}

TEST(Literal, BytesAreOrderedWithoutSignAndPrefixesFirst) {
  auto text = [](std::string_view hex) { return Literal(FromHex(hex)); };
  EXPECT_TRUE(Compare(text("7f"), text("80")) < 0);
  EXPECT_TRUE(Compare(text("ff"), text("00")) > 0);
  EXPECT_TRUE(Compare(text("6162"), text("616200")) < 0);
  EXPECT_TRUE(Compare(text(""), text("00")) < 0);
  EXPECT_TRUE(Compare(text("616200"), text("616200")) == 0);
}

TEST(Literal, NullsNaNAndOtherKindsHaveNoOrder) {
  constexpr auto kUnordered = std::partial_ordering::unordered;
  EXPECT_TRUE(Compare(Literal{}, Literal{}) == kUnordered);
  EXPECT_TRUE(Compare(Literal{}, Literal(true)) == kUnordered);
  EXPECT_TRUE(Compare(Literal(std::nan("")), Literal(1.0)) == kUnordered);
  EXPECT_TRUE(Compare(Literal(int64_t{1}), Literal(1.0)) == kUnordered);
}

TEST(Literal, PeopleReadDatesAndInstants) {
  EXPECT_EQ(ToString(Literal(int64_t{19753}), {TypeId::kDate}), "2024-01-31");
  EXPECT_EQ(ToString(Literal(int64_t{-1}), {TypeId::kTimestamptz}), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(ToString(Literal{}, {TypeId::kString}), "null");
  EXPECT_EQ(ToString(Literal(false), {TypeId::kBoolean}), "false");
}

}  // namespace
}  // namespace slipway::iceberg
