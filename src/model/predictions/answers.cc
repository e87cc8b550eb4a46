#include "model/predictions/answers.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/compute/cast.h>
#include <arrow/type.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/arrow.h"
#include "base/format.h"
#include "model/predictions/predictions.h"

namespace slipway::model {
namespace {

using Pick = AnswerSpec::Pick;

double Sigmoid(double sum) { return 1 / (1 + std::exp(-sum)); }

size_t ColumnsOf(Link link, size_t outputs) { return link == Link::kSigmoid ? 2 : outputs; }

/// One row's sums `[outputs]` become `[ColumnsOf]`.
void ApplyLink(Link link, const double* sums, size_t outputs, double* out) {
  switch (link) {
    case Link::kIdentity: std::copy_n(sums, outputs, out); return;
    case Link::kExp: std::transform(sums, sums + outputs, out, [](double sum) { return std::exp(sum); }); return;
    case Link::kSigmoid:
      out[1] = Sigmoid(sums[0]);
      out[0] = 1 - out[1];
      return;
    case Link::kSoftmax:
    case Link::kNormalized: break;
  }
  const double largest = *std::max_element(sums, sums + outputs);
  double total = 0;
  for (size_t k = 0; k < outputs; ++k) {
    out[k] = link == Link::kSoftmax ? std::exp(sums[k] - largest) : Sigmoid(sums[k]);
    total += out[k];
  }
  for (size_t k = 0; k < outputs; ++k) out[k] = total == 0 ? 1 / static_cast<double>(outputs) : out[k] / total;
}

/// `[outputs, rows]` → `[columns, rows]`.
Result<std::shared_ptr<arrow::Buffer>> Linked(Link link, const std::shared_ptr<arrow::Buffer>& sums, size_t outputs,
                                              size_t rows) {
  if (link == Link::kIdentity) return sums;
  auto columns = ColumnsOf(link, outputs);
  ARROW_ASSIGN(std::shared_ptr<arrow::Buffer> values,
               arrow::AllocateBuffer(static_cast<int64_t>(columns * rows * sizeof(double))));
  const auto* in = sums->data_as<double>();
  auto* out = values->mutable_data_as<double>();
  std::vector<double> one(outputs), made(columns);
  for (size_t row = 0; row < rows; ++row) {
    for (size_t k = 0; k < outputs; ++k) one[k] = in[k * rows + row];
    ApplyLink(link, one.data(), outputs, made.data());
    for (size_t k = 0; k < columns; ++k) out[k * rows + row] = made[k];
  }
  return values;
}

}  // namespace

Answers::Answers(AnswerSpec spec, size_t outputs, bool single, bool probabilities)
    : spec_(std::move(spec)), outputs_(outputs), single_(single), probabilities_(probabilities) {}

Result<Answers> Answers::Of(AnswerSpec spec, size_t outputs, bool single, bool probabilities,
                            const std::string& where) {
  Answers answers(std::move(spec), outputs, single, probabilities);
  auto type = single ? arrow::float32() : arrow::float64();
  const auto& labels = answers.spec_.labels;
  bool has = labels != nullptr && (answers.spec_.shares || answers.spec_.link != Link::kIdentity);
  if (probabilities && !has) return NoLabels(where);
  if (labels == nullptr) {
    answers.schema_ = PredictionSchema(ColumnsOf(answers.spec_.link, outputs), type);
    return answers;
  }
  answers.schema_ = PredictionSchema(1, labels->type());
  if (probabilities) {
    ASSIGN(answers.schema_, WithProbabilities(*answers.schema_, *labels, type));
  }
  return answers;
}

void Answers::Scale(double* sums, size_t rows) const {
  for (size_t k = 0; k < outputs_; ++k) {
    for (double* value = sums + k * rows; value < sums + (k + 1) * rows; ++value) {
      if (spec_.divide) *value /= *spec_.divide;
      if (spec_.scale) *value = *spec_.scale * *value + spec_.bias[k];
    }
  }
}

Result<arrow::ArrayVector> Answers::Convert(const std::shared_ptr<arrow::Buffer>& sums, int64_t rows) const {
  auto* values = sums->mutable_data_as<double>();
  auto count = static_cast<size_t>(rows);
  Scale(values, count);
  arrow::ArrayVector columns;
  if (spec_.labels != nullptr && spec_.pick == Pick::kAtLeast) {
    ASSIGN(columns, PickLabels(*spec_.labels, rows,
                               [values, least = spec_.at_least](size_t row) { return values[row] >= least ? 1 : 0; }));
  } else if (spec_.labels != nullptr) {
    ASSIGN(columns, PickLabels(*spec_.labels, rows, FirstLargest{values, outputs_, count}));
  }
  if (spec_.labels != nullptr && !probabilities_) return columns;
  ASSIGN(auto linked, Linked(spec_.link, sums, outputs_, count));
  for (const auto& column : DoubleColumns(linked, static_cast<int64_t>(ColumnsOf(spec_.link, outputs_)), rows)) {
    columns.push_back(column);
    if (!single_) continue;
    ARROW_ASSIGN(columns.back(),
                 arrow::compute::Cast(*column, arrow::float32(), arrow::compute::CastOptions::Unsafe()));
  }
  return columns;
}

Spread Answers::SpreadOf(const double* sums, const double* of_sums, size_t rows) const {
  const double epsilon = single_ ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
  std::vector<double> scaled(sums, sums + outputs_ * rows);
  Scale(scaled.data(), rows);
  Spread spread(static_cast<size_t>(schema_->num_fields()), std::vector<double>(rows));
  std::vector<double> one(outputs_), made(ColumnsOf(spec_.link, outputs_));
  auto of_sum = [&](size_t k, size_t row) { return of_sums == nullptr ? spec_.any_order : of_sums[k * rows + row]; };
  for (size_t row = 0; row < rows; ++row) {
    double wide = 0, most = 0;
    for (size_t k = 0; k < outputs_; ++k) {
      one[k] = scaled[k * rows + row];
      wide = std::max(wide, of_sum(k, row));
      most = std::max(most, std::fabs(one[k]));
    }
    size_t at = 0;
    if (spec_.labels != nullptr) {
      // Whether the label could be another.
      auto largest = std::ranges::max_element(one) - one.begin();
      double margin = std::numeric_limits<double>::infinity();
      for (size_t k = 0; k < outputs_; ++k)
        if (static_cast<std::ptrdiff_t>(k) != largest)
          margin = std::min(margin, one[static_cast<size_t>(largest)] - one[k]);
      if (spec_.pick == Pick::kAtLeast) margin = std::fabs(one[0] - spec_.at_least);
      spread[at++][row] = wide > 0 && margin <= 2 * wide ? std::numeric_limits<double>::infinity() : 0;
    }
    if (at == spread.size()) continue;
    ApplyLink(spec_.link, one.data(), outputs_, made.data());
    for (size_t k = 0; k < made.size(); ++k) {
      // Of an exponential's argument an absolute error becomes a relative one; its own rounding is a few units.
      auto relative = spec_.link == Link::kIdentity ? 0 : std::expm1(2 * wide) + epsilon * (8 + 2 * most);
      bool complement = spec_.link == Link::kSigmoid && k == 0;
      spread[at + k][row] = spec_.link == Link::kIdentity ? of_sum(k, row)
                            : complement                  ? made[1] * relative + epsilon
                                                          : made[k] * relative;
    }
  }
  return spread;
}

}  // namespace slipway::model
