#include "scoring/entity_keys.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/initialize.h>
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

namespace slipway::scoring {
namespace {

class ArrowFunctions : public ::testing::Environment {
  void SetUp() override { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
};
const auto* const kArrowFunctions = ::testing::AddGlobalTestEnvironment(new ArrowFunctions);

template <typename Builder, typename T>
std::shared_ptr<arrow::Array> ArrayOf(const std::vector<std::optional<T>>& values) {
  Builder builder;
  for (const auto& value : values) EXPECT_TRUE((value ? builder.Append(*value) : builder.AppendNull()).ok());
  return builder.Finish().ValueOrDie();
}

std::shared_ptr<arrow::RecordBatch> Rows(const std::vector<std::optional<std::string>>& a,
                                         const std::vector<std::optional<std::string>>& b) {
  auto schema = arrow::schema({arrow::field("a", arrow::utf8()), arrow::field("b", arrow::utf8())});
  return arrow::RecordBatch::Make(schema, static_cast<int64_t>(a.size()),
                                  {ArrayOf<arrow::StringBuilder>(a), ArrayOf<arrow::StringBuilder>(b)});
}

std::vector<std::string> Values(const arrow::RecordBatch& rows) {
  std::vector<std::string> values;
  for (int64_t i = 0; i < rows.num_rows(); ++i) values.push_back(rows.column(0)->GetScalar(i).ValueOrDie()->ToString());
  return values;
}

using Texts = std::vector<std::string>;

TEST(EntityKeys, OnlyTheFirstRowOfAKeyIsNew) {
  EntityKeys keys({"a"});
  auto rows = Rows({"x", "y", "x", "z", "y"}, {"1", "2", "3", "4", "5"});
  EXPECT_EQ(Values(**keys.TakeNew(rows)), (Texts{"x", "y", "z"}));
  EXPECT_EQ((*keys.TakeNew(rows))->num_rows(), 0);
  EXPECT_EQ(keys.size(), 3);
}

TEST(EntityKeys, LeavingOutAddsNothing) {
  EntityKeys keys({"a"});
  ASSERT_TRUE(keys.Add(*Rows({"x"}, {"1"})));
  auto rows = Rows({"x", "y", "y"}, {"1", "2", "3"});
  EXPECT_EQ(Values(**keys.LeaveOut(rows)), (Texts{"y", "y"}));
  EXPECT_EQ(Values(**keys.LeaveOut(rows)), (Texts{"y", "y"}));
  EXPECT_EQ(keys.size(), 1);
}

TEST(EntityKeys, NullsAreEqualToEachOtherAndToNothingElse) {
  EntityKeys keys({"a"});
  auto rows = Rows({std::nullopt, "", "null", std::nullopt}, {"1", "2", "3", "4"});
  EXPECT_EQ((*keys.TakeNew(rows))->num_rows(), 3);
}

TEST(EntityKeys, ValuesDoNotRunIntoEachOther) {
  EntityKeys keys({"a", "b"});
  // The last two would have the same bytes without their lengths: a text's kind is 4.
  auto rows = Rows({"a", "ab", "", "abc", std::nullopt, "abc", "a\4b", "a"},
                   {"bc", "c", "abc", "", "abc", std::nullopt, "c", "b\4c"});
  EXPECT_EQ((*keys.TakeNew(rows))->num_rows(), 8);
}

TEST(EntityKeys, NaNIsOneValueAndZeroHasNoSign) {
  auto other_nan = std::bit_cast<double>(std::bit_cast<uint64_t>(std::nan("")) | 0x8000000000000001ULL);
  ASSERT_TRUE(std::isnan(other_nan));
  auto column = ArrayOf<arrow::DoubleBuilder, double>({0.0, -0.0, std::nan(""), other_nan, 1.0});
  auto rows = arrow::RecordBatch::Make(arrow::schema({arrow::field("a", arrow::float64())}), 5, {column});
  EntityKeys keys({"a"});
  EXPECT_EQ((*keys.TakeNew(rows))->num_rows(), 3);
}

TEST(EntityKeys, OneKeyOfTwoSetsIsEnoughToMeet) {
  EntityKeys one({"a"}), other({"a"});
  EXPECT_FALSE(one.Meets(other));
  ASSERT_TRUE(one.Add(*Rows({"x", "y", "z"}, {"1", "2", "3"})));
  EXPECT_FALSE(one.Meets(other));
  ASSERT_TRUE(other.Add(*Rows({"w"}, {"1"})));
  EXPECT_FALSE(one.Meets(other));
  ASSERT_TRUE(other.Add(*Rows({"z"}, {"4"})));
  EXPECT_TRUE(one.Meets(other));
  EXPECT_TRUE(other.Meets(one));
}

TEST(EntityKeys, AMissingColumnIsAnError) {
  EntityKeys keys({"nope"});
  EXPECT_FALSE(keys.Add(*Rows({"x"}, {"1"})));
}

}  // namespace
}  // namespace slipway::scoring
