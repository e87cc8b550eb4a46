#include "model/mlflow/decimals.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/util/decimal.h>
#include <gtest/gtest.h>

namespace slipway::model {
namespace {

/// What Python's float(Decimal(text)) is, which MLflow's pd.to_numeric takes: the nearest double.
TEST(DecimalsAsDoubles, EachIsTheNearestDouble) {
  const auto type = arrow::decimal128(38, 10);
  const std::vector<std::pair<const char*, double>> cases = {
      {"0.1000000000", 0.1},
      {"-123456789012345678.1234567891", -123456789012345678.1234567891},
      {"0.0000000001", 1e-10},
      {"9007199254740993.0000000000", 9007199254740992.0},
      {"0.3000000000", 0.3}};
  arrow::Decimal128Builder builder(type);
  for (const auto& [text, number] : cases) {
    arrow::Decimal128 value;
    ASSERT_TRUE(arrow::Decimal128::FromString(text, &value, nullptr, nullptr).ok());
    ASSERT_TRUE(builder.Append(value).ok());
  }
  ASSERT_TRUE(builder.AppendNull().ok());
  auto column = builder.Finish().ValueOrDie();
  auto rows = arrow::RecordBatch::Make(arrow::schema({arrow::field("x", type), arrow::field("key", type)}),
                                       column->length(), {column, column});
  auto fed = DecimalsAsDoubles(rows, {{.name = "x", .type = "double"}, {.name = "absent", .type = "double"}});
  ASSERT_TRUE(fed) << fed.error().message;
  EXPECT_EQ((*fed)->schema()->field(1)->type(), type) << "what is no input stays";
  const auto& doubles = static_cast<const arrow::DoubleArray&>(*(*fed)->column(0));
  for (size_t i = 0; i < cases.size(); ++i) EXPECT_EQ(doubles.Value(static_cast<int64_t>(i)), cases[i].second);
  EXPECT_TRUE(doubles.IsNull(doubles.length() - 1));
}

}  // namespace
}  // namespace slipway::model
