#include "model/linear/linear_model.h"

#include <arrow/buffer.h>
#include <arrow/record_batch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <span>

#include "base/arrow.h"
#include "base/format.h"
#include "model/forest/edge_rows.h"

namespace slipway::model {
namespace {

constexpr size_t kBlock = 1024;

/// A column of numbers, and its weight in each output.
struct Number {
  DerivedColumn column;
  std::vector<double> weights;
};
/// All columns that are made of one input's categories: what they add to each output, by code. One look for each row,
/// however many columns there are.
struct Categories {
  uint32_t input = 0;
  std::vector<std::vector<double>> sums;   ///< [outputs][codes + 2]: Σ weight × value
  std::vector<std::vector<double>> sizes;  ///< the same of |weight × value|
};

class LinearModel final : public Model {
 public:
  LinearModel(const LinearSpec& linear, std::vector<DerivedColumn> columns, Inputs inputs, Answers answers)
      : base_(linear.base),
        single_(linear.single),
        columns_(columns.size()),
        inputs_(std::move(inputs)),
        answers_(std::move(answers)) {
    std::map<uint32_t, Categories> categories;
    for (size_t c = 0; c < columns_; ++c) {
      std::vector<double> weights;
      for (const auto& of_output : linear.weights) weights.push_back(of_output[c]);
      if (columns[c].is_category())
        Merge(columns[c], weights, categories[columns[c].input]);
      else
        numbers_.push_back({std::move(columns[c]), std::move(weights)});
    }
    for (auto& [input, merged] : categories) categories_.push_back(std::move(merged));
  }

  const std::vector<ColumnSpec>& inputs() const override { return inputs_.specs; }
  const std::shared_ptr<arrow::Schema>& outputs() const override { return answers_.schema(); }
  bool has_extras() const override { return answers_.has_extras(); }
  EngineChoice engine() const override { return {.engine = Engine::kLinear}; }
  std::vector<Fact> facts() const override {
    return {{"engine", std::string(ToString(Engine::kLinear))},
            {"features", fmt::to_string(inputs_.size())},
            {"columns", fmt::to_string(columns_)},
            {"outputs", fmt::to_string(base_.size())}};
  }

  /// Numbers around what the steps add and multiply by.
  Result<std::shared_ptr<arrow::RecordBatch>> EdgeRows(int64_t most) const override {
    std::vector<std::vector<double>> decides_by(inputs_.size());
    std::mt19937_64 random(20261125);
    std::normal_distribution<double> normal;
    for (const auto& [column, weights] : numbers_) {
      double centre = 0, scale = 1;
      for (const auto& [operation, operand] : column.steps) {
        if (operation == Operation::kSubtract || operation == Operation::kFill || operation == Operation::kAbove)
          centre = operand;
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
    std::vector<double> sizes(base_.size() * rows);
    ASSIGN(auto sums, Sum(batch, sizes.data()));
    const double epsilon = single_ ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
    for (double& size : sizes) size *= 2 * static_cast<double>(columns_ + 2) * epsilon;
    return answers_.SpreadOf(sums->data_as<double>(), sizes.data(), rows);
  }

 private:
  /// `[outputs, rows]`, and Σ |weight × column| to `sizes` where that is not null.
  Result<std::shared_ptr<arrow::Buffer>> Sum(const arrow::RecordBatch& batch, double* sizes) const {
    ASSIGN(auto arrays, inputs_.ColumnsOf(batch));
    auto rows = static_cast<size_t>(batch.num_rows());
    size_t outputs = base_.size();
    ARROW_ASSIGN(std::shared_ptr<arrow::Buffer> sums,
                 arrow::AllocateBuffer(static_cast<int64_t>(outputs * rows * sizeof(double))));
    std::vector<Inputs::Scratch> scratch;
    std::vector<Values> values;
    std::vector<double> column(kBlock);
    std::vector<uint32_t> codes(kBlock);
    for (size_t first = 0; first < rows; first += kBlock) {
      auto count = std::min(kBlock, rows - first);
      TRY(inputs_.Read(arrays, static_cast<int64_t>(first), static_cast<int64_t>(count), Precision::kDouble, scratch,
                       values));
      auto* out = sums->mutable_data_as<double>() + first;
      for (size_t k = 0; k < outputs; ++k) {
        std::fill_n(out + k * rows, count, base_[k]);
        if (sizes != nullptr) std::fill_n(sizes + k * rows + first, count, std::fabs(base_[k]));
      }
      for (const auto& number : numbers_) {
        Derive(number.column, values[number.column.input], {column.data(), count});
        for (size_t k = 0; k < outputs; ++k) {
          Add(number.weights[k], column.data(), count, out + k * rows);
          if (sizes != nullptr) AddSize(number.weights[k], column.data(), count, sizes + k * rows + first);
        }
      }
      for (const auto& categories : categories_) {
        const auto last = static_cast<uint32_t>(categories.sums.front().size() - 1);
        for (size_t row = 0; row < count; ++row) {
          double code = values[categories.input].doubles[row];
          codes[row] = std::isnan(code) ? last : static_cast<uint32_t>(code);
        }
        for (size_t k = 0; k < outputs; ++k) {
          AddFrom(categories.sums[k], codes.data(), count, out + k * rows);
          if (sizes != nullptr) AddFrom(categories.sizes[k], codes.data(), count, sizes + k * rows + first);
        }
      }
    }
    return sums;
  }

  static void Merge(const DerivedColumn& column, const std::vector<double>& weights, Categories& into) {
    into.input = column.input;
    into.sums.resize(weights.size());
    into.sizes.resize(weights.size());
    for (size_t k = 0; k < weights.size(); ++k) {
      into.sums[k].resize(column.values.size());
      into.sizes[k].resize(column.values.size());
      for (size_t code = 0; code < column.values.size(); ++code) {
        into.sums[k][code] += weights[k] * column.values[code];
        into.sizes[k][code] += std::fabs(weights[k] * column.values[code]);
      }
    }
  }

  static void Derive(const DerivedColumn& column, const Values& values, std::span<double> out) {
    if (values.floats != nullptr)
      std::copy_n(values.floats, out.size(), out.data());
    else
      std::copy_n(values.doubles, out.size(), out.data());
    Apply(column.steps, out);
  }

  static void Add(double weight, const double* column, size_t rows, double* sums) {
    for (size_t row = 0; row < rows; ++row) sums[row] += weight * column[row];
  }
  static void AddSize(double weight, const double* column, size_t rows, double* sizes) {
    for (size_t row = 0; row < rows; ++row) sizes[row] += std::fabs(weight * column[row]);
  }
  static void AddFrom(const std::vector<double>& of_codes, const uint32_t* codes, size_t rows, double* sums) {
    for (size_t row = 0; row < rows; ++row) sums[row] += of_codes[codes[row]];
  }

  std::vector<double> base_;  ///< [outputs]
  bool single_ = false;
  size_t columns_ = 0;
  std::vector<Number> numbers_;
  std::vector<Categories> categories_;
  Inputs inputs_;
  Answers answers_;
};

}  // namespace

Result<std::unique_ptr<Model>> MakeLinearModel(LinearSpec linear, std::vector<DerivedColumn> columns, Inputs inputs,
                                               Answers answers) {
  TRY(Check(columns, inputs));
  // A sum that is not a number is refused, as the library refuses it.
  for (const auto& column : columns) {
    auto& accepts = inputs.accepts[column.input];
    if (column.is_category()) {
      accepts.unknown &= !std::isnan(column.values[column.values.size() - 2]);
      accepts.missing &= !std::isnan(column.values.back());
    } else {
      double missing = std::numeric_limits<double>::quiet_NaN();
      Apply(column.steps, {&missing, 1});
      accepts.missing &= !std::isnan(missing);
      accepts.OnlyFinite();
    }
  }
  return std::make_unique<LinearModel>(linear, std::move(columns), std::move(inputs), std::move(answers));
}

}  // namespace slipway::model
