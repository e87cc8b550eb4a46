#include "model/proof/prove.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <functional>

namespace slipway::model {
namespace {

std::shared_ptr<arrow::RecordBatch> Column(const std::string& name, const std::vector<double>& values) {
  arrow::DoubleBuilder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  return arrow::RecordBatch::Make(arrow::schema({arrow::field(name, arrow::float64())}),
                                  static_cast<int64_t>(values.size()), {builder.Finish().ValueOrDie()});
}

/// Scores each x by a function; a negative answer is refused.
class Scores final : public Model {
 public:
  explicit Scores(std::function<double(double)> score, std::vector<double> example = {})
      : score_(std::move(score)), example_(std::move(example)) {}

  const std::vector<ColumnSpec>& inputs() const override { return inputs_; }
  const std::shared_ptr<arrow::Schema>& outputs() const override { return outputs_; }
  std::vector<Fact> facts() const override { return {}; }
  EngineChoice engine() const override { return {.engine = Engine::kForest}; }
  Result<std::shared_ptr<arrow::RecordBatch>> EdgeRows(int64_t) const override { return Column("x", {1, 2, 3}); }
  Result<std::shared_ptr<arrow::RecordBatch>> ExampleRows() const override {
    if (example_.empty()) return Model::ExampleRows();
    return Column("x", example_);
  }
  Result<std::shared_ptr<arrow::RecordBatch>> Score(const arrow::RecordBatch& rows) const override {
    std::vector<double> answers;
    for (int64_t row = 0; row < rows.num_rows(); ++row)
      answers.push_back(score_(static_cast<const arrow::DoubleArray&>(*rows.column(0)).Value(row)));
    for (double answer : answers)
      if (answer < 0) return Fail(ErrorKind::kInvalid, "below zero");
    return Column("prediction", answers);
  }

 private:
  std::function<double(double)> score_;
  std::vector<double> example_;
  std::vector<ColumnSpec> inputs_{{"x", "double", true}};
  std::shared_ptr<arrow::Schema> outputs_ = arrow::schema({arrow::field("prediction", arrow::float64())});
};

double Twice(double x) { return 2 * x; }

EngineRecord Proven(const Scores& native, const Scores& reference) {
  auto record = Prove(native, reference);
  EXPECT_TRUE(record) << record.error().message;
  return record ? *record : EngineRecord();
}

TEST(Prove, TakesTheNativeEngineWhereAllIsEqual) {
  auto record = Proven(Scores(Twice), Scores(Twice));
  EXPECT_EQ(record.engine, Engine::kForest);
  EXPECT_EQ(record.why, "equal to mlflow.pyfunc to the last bit on 3 rows around all that it decides by");
  record = Proven(Scores(Twice), Scores(Twice, {7, 8}));
  EXPECT_EQ(record.engine, Engine::kForest);
  EXPECT_TRUE(record.why.ends_with(", and on its input example")) << record.why;
}

TEST(Prove, TakesPythonWhereOneRowDiffers) {
  auto record = Proven(Scores([](double x) { return x == 2 ? 4.5 : 2 * x; }), Scores(Twice));
  EXPECT_EQ(record.engine, Engine::kPython);
  EXPECT_EQ(record.why, "'prediction' differs from mlflow.pyfunc: 4.5, not 4");
}

TEST(Prove, TakesPythonWhereTheInputExampleDiffersOrIsRefused) {
  auto record = Proven(Scores([](double x) { return x == 8 ? 1 : 2 * x; }), Scores(Twice, {7, 8}));
  EXPECT_EQ(record.engine, Engine::kPython);
  EXPECT_EQ(record.why, "on the input example, 'prediction' differs from mlflow.pyfunc: 1, not 16");
  record = Proven(Scores([](double x) { return x == 8 ? -1 : 2 * x; }), Scores(Twice, {7, 8}));
  EXPECT_EQ(record.engine, Engine::kPython);
  EXPECT_EQ(record.why, "the native engine refuses the input example: below zero");
}

TEST(Prove, AnExampleThatTheLibraryRefusesSaysNothing) {
  auto record = Proven(Scores(Twice), Scores([](double x) { return x == 8 ? -1 : 2 * x; }, {7, 8}));
  EXPECT_EQ(record.engine, Engine::kForest);
  EXPECT_FALSE(record.why.ends_with("input example")) << record.why;
}

}  // namespace
}  // namespace slipway::model
