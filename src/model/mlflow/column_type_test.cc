#include "model/mlflow/column_type.h"

#include <arrow/type.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace slipway::model {
namespace {

TEST(ColumnType, WideningIsSilentAndLosingIsRefused) {
  const std::vector<std::shared_ptr<arrow::DataType>> columns{arrow::boolean(),
                                                              arrow::int8(),
                                                              arrow::int16(),
                                                              arrow::int32(),
                                                              arrow::int64(),
                                                              arrow::float32(),
                                                              arrow::float64(),
                                                              arrow::utf8(),
                                                              arrow::binary(),
                                                              arrow::date32(),
                                                              arrow::timestamp(arrow::TimeUnit::MICRO),
                                                              arrow::decimal128(9, 2)};
  auto fed_by = [&](const char* name) {
    std::string names;
    for (const auto& column : columns)
      if (Feeds(*column, name)) names += (names.empty() ? "" : " ") + column->name();
    return names;
  };
  EXPECT_EQ(fed_by("boolean"), "bool");
  EXPECT_EQ(fed_by("integer"), "int8 int16 int32");
  EXPECT_EQ(fed_by("long"), "int8 int16 int32 int64");
  EXPECT_EQ(fed_by("float"), "int8 int16 float");  // whole numbers up to 2^24 are floats
  EXPECT_EQ(fed_by("double"), "int8 int16 int32 float double decimal128");
  EXPECT_EQ(fed_by("string"), "utf8");
  EXPECT_EQ(fed_by("binary"), "binary");
  EXPECT_EQ(fed_by("datetime"), "date32 timestamp");
  EXPECT_EQ(fed_by("tensor"), "");
}

TEST(ColumnType, PredictionsHaveTypesOfTables) {
  auto type = [](const char* name) {
    auto found = ArrowTypeOf(name);
    return found ? (*found)->ToString() : found.error().message;
  };
  EXPECT_EQ(type("integer"), "int32");
  EXPECT_EQ(type("datetime"), "timestamp[us]");
  EXPECT_EQ(type("array<string>"), "list<item: string>");
  EXPECT_EQ(type("array<array>"), "a prediction of type array<array> cannot be written to a table");
  EXPECT_EQ(type("array<array<double>>"), "a prediction of type array<array<double>> cannot be written to a table");
  EXPECT_EQ(type("map"), "a prediction of type map cannot be written to a table");
}

TEST(ColumnType, TensorsBecomeColumns) {
  EXPECT_EQ(ColumnTypeOfTensor("float32"), "float");
  EXPECT_EQ(ColumnTypeOfTensor("uint16"), "integer");
  EXPECT_EQ(ColumnTypeOfTensor("uint32"), "");
  EXPECT_EQ(ColumnTypeOf("float"), ColumnType::kFloat);
  EXPECT_EQ(ColumnTypeOf("array<float>"), ColumnType::kOther);
}

}  // namespace
}  // namespace slipway::model
