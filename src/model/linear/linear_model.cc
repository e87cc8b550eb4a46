#include "model/linear/linear_model.h"

#include <arrow/buffer.h>
#include <arrow/record_batch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "base/arrow.h"
#include "base/format.h"
#include "model/forest/edge_rows.h"

namespace slipway::model {
namespace {

constexpr size_t kBlock = 1024;

class LinearModel final : public Model {
 public:
  LinearModel(LinearSpec linear, std::vector<DerivedColumn> columns, Inputs inputs, Answers answers)
      : linear_(std::move(linear)), columns_(std::move(columns)), inputs_(std::move(inputs)), answers_(std::move(answers)) {}

  const std::vector<ColumnSpec>& inputs() const override { return inputs_.specs; }
  const std::shared_ptr<arrow::Schema>& outputs() const override { return answers_.schema(); }
  bool has_extras() const override { return answers_.has_extras(); }
  std::vector<Fact> facts() const override {
    return {{"engine", "linear"},
            {"features", fmt::to_string(inputs_.size())},
            {"columns", fmt::to_string(columns_.size())},
            {"outputs", fmt::to_string(linear_.weights.size())}};
  }

  /// Numbers around what the steps add and multiply by.
  Result<std::shared_ptr<arrow::RecordBatch>> EdgeRows(int64_t most) const override {
    std::vector<std::vector<double>> decides_by(inputs_.size());
    std::mt19937_64 random(20261125);
    std::normal_distribution<double> normal;
    for (const auto& column : columns_) {
      double centre = 0, scale = 1;
      for (const auto& [operation, operand] : column.steps) {
        if (operation == Operation::kSubtract || operation == Operation::kFill || operation == Operation::kAbove) centre = operand;
        if (operation == Operation::kDivide) scale = operand;
        if (operation == Operation::kMultiply) scale = 1 / operand;
      }
      auto& values = decides_by[column.input];
      values.push_back(centre);
      for (int i = 0; i < 100; ++i) values.push_back(centre + scale * normal(random));
    }
    return EdgeRowsOf(inputs_, decides_by, most);
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Score(const arrow::RecordBatch& batch) const override {
    ASSIGN(auto sums, Sum(batch, nullptr));
    ASSIGN(auto predictions, answers_.Convert(sums, batch.num_rows()));
    return arrow::RecordBatch::Make(answers_.schema(), batch.num_rows(), std::move(predictions));
  }

  Result<Spread> SpreadOf(const arrow::RecordBatch& batch) const override {
    auto rows = static_cast<size_t>(batch.num_rows());
    std::vector<double> sizes(linear_.weights.size() * rows);
    ASSIGN(auto sums, Sum(batch, sizes.data()));
    const double epsilon = linear_.single ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
    for (double& size : sizes) size *= 2 * static_cast<double>(columns_.size() + 2) * epsilon;
    return answers_.SpreadOf(sums->data_as<double>(), sizes.data(), rows);
  }

 private:
  /// `[outputs, rows]`, and Σ |weight × column| to `sizes` where that is not null.
  Result<std::shared_ptr<arrow::Buffer>> Sum(const arrow::RecordBatch& batch, double* sizes) const {
    ASSIGN(auto arrays, inputs_.ColumnsOf(batch));
    auto rows = static_cast<size_t>(batch.num_rows());
    size_t outputs = linear_.weights.size();
    ARROW_ASSIGN(std::shared_ptr<arrow::Buffer> sums, arrow::AllocateBuffer(static_cast<int64_t>(outputs * rows * sizeof(double))));
    std::vector<Inputs::Scratch> scratch;
    std::vector<Values> values;
    std::vector<double> column(kBlock);
    for (size_t first = 0; first < rows; first += kBlock) {
      auto count = std::min(kBlock, rows - first);
      TRY(inputs_.Read(arrays, static_cast<int64_t>(first), static_cast<int64_t>(count), Precision::kDouble, scratch, values));
      auto* out = sums->mutable_data_as<double>() + first;
      for (size_t k = 0; k < outputs; ++k) {
        std::fill_n(out + k * rows, count, linear_.base[k]);
        if (sizes != nullptr) std::fill_n(sizes + k * rows + first, count, std::fabs(linear_.base[k]));
      }
      for (size_t c = 0; c < columns_.size(); ++c) {
        Derive(columns_[c], values[columns_[c].input], count, column.data());
        for (size_t k = 0; k < outputs; ++k) {
          Add(linear_.weights[k][c], column.data(), count, out + k * rows);
          if (sizes != nullptr) AddSize(linear_.weights[k][c], column.data(), count, sizes + k * rows + first);
        }
      }
    }
    return sums;
  }

  static void Derive(const DerivedColumn& column, const Values& values, size_t rows, double* out) {
    auto copy = [&](const auto* from) {
      for (size_t row = 0; row < rows; ++row) out[row] = static_cast<double>(from[row]);
    };
    values.floats != nullptr ? copy(values.floats) : copy(values.doubles);
    if (!column.is_category()) return Apply(column.steps, {out, rows});
    const double missing = column.values.back();
    for (size_t row = 0; row < rows; ++row) out[row] = std::isnan(out[row]) ? missing : column.values[static_cast<size_t>(out[row])];
  }

  static void Add(double weight, const double* column, size_t rows, double* sums) {
    for (size_t row = 0; row < rows; ++row) sums[row] += weight * column[row];
  }
  static void AddSize(double weight, const double* column, size_t rows, double* sizes) {
    for (size_t row = 0; row < rows; ++row) sizes[row] += std::fabs(weight * column[row]);
  }

  LinearSpec linear_;
  std::vector<DerivedColumn> columns_;
  Inputs inputs_;
  Answers answers_;
};

}  // namespace

Result<std::unique_ptr<Model>> MakeLinearModel(LinearSpec linear, std::vector<DerivedColumn> columns, Inputs inputs, Answers answers) {
  TRY(Check(columns, inputs));
  // A sum that is no number is refused, as the library refuses it.
  for (const auto& column : columns) {
    auto& accepts = inputs.accepts[column.input];
    if (column.is_category()) {
      accepts.unknown &= !std::isnan(column.values[column.values.size() - 2]);
      accepts.missing &= !std::isnan(column.values.back());
    } else {
      double missing = std::numeric_limits<double>::quiet_NaN();
      Apply(column.steps, {&missing, 1});
      accepts.missing &= !std::isnan(missing);
      accepts.least = std::max(accepts.least, std::numeric_limits<double>::lowest());
      accepts.most = std::min(accepts.most, std::numeric_limits<double>::max());
    }
  }
  return std::make_unique<LinearModel>(std::move(linear), std::move(columns), std::move(inputs), std::move(answers));
}

}  // namespace slipway::model
