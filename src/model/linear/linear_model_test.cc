#include "model/linear/linear_model.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/testing/golden.h"

namespace slipway::model {
namespace {

std::vector<double> Doubles(const json::value& list) {
  std::vector<double> values;
  for (const auto& hex : list.as_array()) {
    double value;
    std::memcpy(&value, testing::FromHex(hex.as_string()).data(), sizeof value);
    values.push_back(value);
  }
  return values;
}

std::vector<std::vector<double>> Columns(const json::value& list) {
  std::vector<std::vector<double>> columns;
  for (const auto& column : list.as_array()) columns.push_back(Doubles(column));
  return columns;
}

class LinearGolden : public ::testing::TestWithParam<testing::GoldenCase> {
 protected:
  std::unique_ptr<Model> Load() const {
    LinearSpec spec{Doubles(GetParam().at("base")), Columns(GetParam().at("weights"))};
    std::vector<ColumnSpec> inputs;
    std::vector<DerivedColumn> columns;
    for (uint32_t k = 0; k < spec.weights.front().size(); ++k) {
      inputs.push_back({"f" + std::to_string(k), "double", true});
      columns.push_back({k, {}, {}});
    }
    AnswerSpec answer;
    auto link = GetParam().text("link");
    answer.link = link == "exp" ? Link::kExp : link == "softmax" ? Link::kSoftmax : Link::kIdentity;
    auto answers = Answers::Of(answer, spec.base.size(), false, false, "test").value();
    return MakeLinearModel(std::move(spec), std::move(columns), Inputs(std::move(inputs)), std::move(answers)).value();
  }
  std::shared_ptr<arrow::RecordBatch> Rows() const {
    arrow::FieldVector fields;
    arrow::ArrayVector arrays;
    for (const auto& column : Columns(GetParam().at("rows"))) {
      arrow::DoubleBuilder builder;
      EXPECT_TRUE(builder.AppendValues(column).ok());
      fields.push_back(arrow::field("f" + std::to_string(fields.size()), arrow::float64()));
      arrays.push_back(builder.Finish().ValueOrDie());
    }
    auto rows = arrays.front()->length();
    return arrow::RecordBatch::Make(arrow::schema(fields), rows, arrays);
  }
};

/// scikit-learn's sums are BLAS's, in another order: they lie within what the model says that this can make.
TEST_P(LinearGolden, PredictionsLieWithinTheSpreadOfScikitLearns) {
  auto model = Load();
  auto rows = Rows();
  auto scores = model->Score(*rows);
  ASSERT_TRUE(scores) << scores.error().message;
  auto spread = model->SpreadOf(*rows);
  ASSERT_TRUE(spread) << spread.error().message;
  auto want = Columns(GetParam().at("want"));
  ASSERT_EQ(static_cast<size_t>((*scores)->num_columns()), want.size());
  for (size_t k = 0; k < want.size(); ++k) {
    const auto& got = static_cast<const arrow::DoubleArray&>(*(*scores)->column(static_cast<int>(k)));
    for (size_t row = 0; row < want[k].size(); ++row) {
      auto difference = std::abs(got.Value(static_cast<int64_t>(row)) - want[k][row]);
      EXPECT_LE(difference, (*spread)[k][row])
          << "row " << row << ", output " << k << ": " << got.Value(static_cast<int64_t>(row)) << " instead of "
          << want[k][row];
      EXPECT_LE((*spread)[k][row], 1e-9 * (1 + std::abs(want[k][row]))) << "the spread says next to nothing";
    }
  }
}

TEST_P(LinearGolden, ARowIsScoredTheSameInAnyBatch) {
  auto model = Load();
  auto rows = Rows();
  auto together = model->Score(*rows).value();
  for (int64_t row = 0; row < rows->num_rows(); ++row)
    EXPECT_TRUE(model->Score(*rows->Slice(row, 1)).value()->Equals(*together->Slice(row, 1))) << "row " << row;
}

INSTANTIATE_TEST_SUITE_P(ScikitLearn, LinearGolden, ::testing::ValuesIn(testing::GoldenCases("sklearn/linear.json")),
                         testing::CaseName);

}  // namespace
}  // namespace slipway::model
