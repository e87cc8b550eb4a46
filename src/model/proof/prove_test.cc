#include "model/proof/prove.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

namespace slipway::model {
namespace {

std::shared_ptr<arrow::RecordBatch> Column(const std::string& name, const std::vector<double>& values) {
  arrow::DoubleBuilder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  return arrow::RecordBatch::Make(arrow::schema({arrow::field(name, arrow::float64())}),
                                  static_cast<int64_t>(values.size()), {builder.Finish().ValueOrDie()});
}

constexpr double kRefuse = -12345;

/// Scores each x, which is NaN where it is missing, by a function; rows with the answer kRefuse are refused.
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
    const auto& x = static_cast<const arrow::DoubleArray&>(*rows.column(0));
    for (int64_t row = 0; row < rows.num_rows(); ++row)
      answers.push_back(score_(x.IsNull(row) ? std::numeric_limits<double>::quiet_NaN() : x.Value(row)));
    for (double answer : answers)
      if (answer == kRefuse) return Fail(ErrorKind::kInvalid, "not this row");
    return Column("prediction", answers);
  }

 private:
  std::function<double(double)> score_;
  std::vector<double> example_;
  std::vector<ColumnSpec> inputs_{{"x", "double", true}};
  std::shared_ptr<arrow::Schema> outputs_ = arrow::schema({arrow::field("prediction", arrow::float64())});
};

/// What pyfunc gives, and the library.
class Beside final : public Reference {
 public:
  Beside(const Scores& pyfunc, const Scores& library) : pyfunc_(pyfunc), library_(library) {}
  Result<std::shared_ptr<arrow::RecordBatch>> Answer(const arrow::RecordBatch& rows, By by) override {
    return (by == By::kPyfunc ? pyfunc_ : library_).Score(rows);
  }
  Result<std::shared_ptr<arrow::RecordBatch>> Example() override { return pyfunc_.ExampleRows(); }

 private:
  const Scores &pyfunc_, &library_;
};

double Twice(double x) { return 2 * x; }

EngineRecord Proven(const Scores& native, const Scores& pyfunc, const Scores& library) {
  Beside reference(pyfunc, library);
  auto record = Prove(native, reference);
  EXPECT_TRUE(record) << record.error().message;
  return record ? *record : EngineRecord();
}

EngineRecord Proven(const Scores& native, const Scores& reference) { return Proven(native, reference, reference); }

TEST(Prove, TakesTheNativeEngineWhereAllIsEqual) {
  auto record = Proven(Scores(Twice), Scores(Twice));
  EXPECT_EQ(record.engine, Engine::kForest);
  EXPECT_EQ(record.evidence, Evidence::kBits);
  EXPECT_EQ(record.why,
            "equal to mlflow.pyfunc to the last bit on 3 rows around all that it decides by, with nulls, with "
            "infinities, with huge numbers");
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
  record = Proven(Scores([](double x) { return x == 8 ? kRefuse : 2 * x; }), Scores(Twice, {7, 8}));
  EXPECT_EQ(record.engine, Engine::kPython);
  EXPECT_EQ(record.why, "on the input example, the native engine refuses what mlflow.pyfunc answers: not this row");
}

TEST(Prove, AnExampleThatTheLibraryRefusesSaysNothing) {
  auto record = Proven(Scores(Twice), Scores([](double x) { return x == 8 ? kRefuse : 2 * x; }, {7, 8}));
  EXPECT_EQ(record.engine, Engine::kForest);
  EXPECT_FALSE(record.why.ends_with("input example")) << record.why;
}

TEST(Prove, TheLibraryVouchesWherePyfuncRefuses) {
  Scores nothing([](double) { return kRefuse; });
  auto record = Proven(Scores(Twice), nothing, Scores(Twice));
  EXPECT_EQ(record.engine, Engine::kForest);
  EXPECT_EQ(record.evidence, Evidence::kLibraryOnly);
  EXPECT_TRUE(record.why.starts_with("equal to its library to the last bit on 3 rows")) << record.why;
  EXPECT_NE(record.why.find("which mlflow.pyfunc refuses: not this row"), std::string::npos) << record.why;
  record = Proven(Scores(Twice), nothing, Scores([](double x) { return 3 * x; }));
  EXPECT_EQ(record.engine, Engine::kPython);
  EXPECT_EQ(record.why, "'prediction' differs from its library: 2, not 3");
}

TEST(Prove, WhereNeitherAnswersNobodyDoes) {
  Scores nothing([](double) { return kRefuse; });
  auto record = Proven(Scores(Twice), nothing, nothing);
  EXPECT_EQ(record.evidence, Evidence::kRefused);
  EXPECT_EQ(CheckProof(record).error().kind, ErrorKind::kInvalid);
  EXPECT_NE(record.why.find("not this row; by its library itself, not this row"), std::string::npos) << record.why;
  // pyfunc answers other rows: which, it tells itself.
  record = Proven(Scores(Twice), Scores([](double x) { return x < 4 ? kRefuse : 2 * x; }, {7, 8}), nothing);
  EXPECT_EQ(record.engine, Engine::kPython);
  EXPECT_EQ(record.evidence, Evidence::kDiffers);
}

TEST(Prove, NullsInfinitiesAndHugeNumbersAreAnsweredOrRefusedAlike) {
  auto no_nulls = [](double x) { return std::isnan(x) ? kRefuse : 2 * x; };
  auto finite = [](double x) { return std::isinf(x) ? kRefuse : 2 * x; };
  EXPECT_EQ(Proven(Scores(no_nulls), Scores(no_nulls)).evidence, Evidence::kBits);
  EXPECT_EQ(Proven(Scores(Twice), Scores(no_nulls), Scores(Twice)).evidence, Evidence::kBits);  // the library's word
  auto record = Proven(Scores(Twice), Scores(no_nulls));
  EXPECT_EQ(record.engine, Engine::kPython);
  EXPECT_EQ(record.why,
            "of nulls in 'x', the native engine answers what is refused: not this row; by its library itself, not this "
            "row");
  EXPECT_EQ(Proven(Scores(Twice), Scores(finite)).engine, Engine::kPython);
  record = Proven(Scores(finite), Scores(Twice));
  EXPECT_EQ(record.why, "of infinities in 'x', the native engine refuses what mlflow.pyfunc answers: not this row");
  record = Proven(Scores(Twice), Scores([](double x) { return x > 1e38 && !std::isinf(x) ? 0 : 2 * x; }));
  EXPECT_TRUE(record.why.starts_with("of huge numbers in 'x', 'prediction' differs")) << record.why;
}

TEST(Prove, SmallCallsGiveTheSame) {
  // The answer depends on how many rows there are.
  class Counts final : public Model {
   public:
    const std::vector<ColumnSpec>& inputs() const override { return inner_.inputs(); }
    const std::shared_ptr<arrow::Schema>& outputs() const override { return inner_.outputs(); }
    std::vector<Fact> facts() const override { return {}; }
    EngineChoice engine() const override { return {.engine = Engine::kForest}; }
    Result<std::shared_ptr<arrow::RecordBatch>> EdgeRows(int64_t most) const override { return inner_.EdgeRows(most); }
    Result<std::shared_ptr<arrow::RecordBatch>> Score(const arrow::RecordBatch& rows) const override {
      return rows.num_rows() == 2 ? Scores([](double) { return 5.0; }).Score(rows) : inner_.Score(rows);
    }

   private:
    Scores inner_{Twice};
  };
  Scores twice(Twice);
  Beside reference(twice, twice);
  auto record = Prove(Counts(), reference);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->why, "in a call of 2 rows, 'prediction' differs from that of all rows: 5, not 2");
}

}  // namespace
}  // namespace slipway::model
