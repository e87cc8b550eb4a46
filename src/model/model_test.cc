#include "model/model.h"

#include <arrow/array.h>
#include <arrow/io/file.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "base/testing/golden.h"

namespace slipway::model {
namespace {

/// Forests that LightGBM and XGBoost made and MLflow saved, with what mlflow.pyfunc predicts for rows on and off
/// everything they decide by: missing values, infinities, zeros of both signs, unknown categories.
class ForestGolden : public ::testing::TestWithParam<testing::GoldenCase> {
 protected:
  std::string Path(const std::string& name) const {
    return testing::GoldenPath("model/" + GetParam().text("folder") + "/" + name);
  }
  std::shared_ptr<arrow::RecordBatch> Rows() const {
    auto file = arrow::io::ReadableFile::Open(Path("rows.arrow")).ValueOrDie();
    return arrow::ipc::RecordBatchFileReader::Open(file).ValueOrDie()->ReadRecordBatch(0).ValueOrDie();
  }
};

double ValueAt(const arrow::Array& array, int64_t row) {
  if (array.type_id() == arrow::Type::FLOAT) return static_cast<const arrow::FloatArray&>(array).Value(row);
  return static_cast<const arrow::DoubleArray&>(array).Value(row);
}

TEST_P(ForestGolden, PredictionsAreTheLibrarysToTheLastBit) {
  auto model = LoadModel(Path(""), PythonEngine{});
  ASSERT_TRUE(model) << model.error().message;
  auto facts = (*model)->facts();
  ASSERT_FALSE(facts.empty());
  ASSERT_EQ(facts.front().value, "forest") << "not scored natively: " << facts.back().value;
  auto rows = Rows();
  auto scores = (*model)->Score(*rows);
  ASSERT_TRUE(scores) << scores.error().message;
  for (int k = 0; k < (*scores)->num_columns(); ++k) {
    auto want = rows->GetColumnByName("want_" + std::to_string(k));
    ASSERT_NE(want, nullptr) << k;
    const auto& got = *(*scores)->column(k);
    ASSERT_TRUE(got.type()->Equals(*want->type()))
        << got.type()->ToString() << " instead of " << want->type()->ToString();
    for (int64_t row = 0; row < rows->num_rows(); ++row)
      EXPECT_EQ(std::bit_cast<uint64_t>(ValueAt(got, row)), std::bit_cast<uint64_t>(ValueAt(*want, row)))
          << "row " << row << ", output " << k << ": " << ValueAt(got, row) << " instead of " << ValueAt(*want, row);
  }
  EXPECT_EQ(rows->GetColumnByName("want_" + std::to_string((*scores)->num_columns())), nullptr)
      << "outputs are missing";
}

/// Small calls go other ways through the kernels than large ones.
TEST_P(ForestGolden, RowsAloneAreScoredAsRowsTogether) {
  auto model = LoadModel(Path(""), PythonEngine{});
  ASSERT_TRUE(model) << model.error().message;
  auto rows = Rows();
  auto together = (*model)->Score(*rows);
  ASSERT_TRUE(together) << together.error().message;
  for (int64_t row = 0; row < rows->num_rows(); ++row) {
    auto alone = (*model)->Score(*rows->Slice(row, 1));
    ASSERT_TRUE(alone) << alone.error().message;
    EXPECT_TRUE((*alone)->Equals(*(*together)->Slice(row, 1), arrow::EqualOptions::Defaults().nans_equal(true)))
        << "row " << row;
  }
}

INSTANTIATE_TEST_SUITE_P(LightGbmAndXgboost, ForestGolden,
                         ::testing::ValuesIn(testing::GoldenCases("model/forests.json")), testing::CaseName);

}  // namespace
}  // namespace slipway::model
