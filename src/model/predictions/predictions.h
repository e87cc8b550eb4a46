#pragma once

#include <arrow/type_fwd.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"

/// The columns that sums, classes and probabilities become.
namespace slipway::model {

/// `prediction`, or `prediction_0`, … of several.
std::shared_ptr<arrow::Schema> PredictionSchema(size_t outputs, const std::shared_ptr<arrow::DataType>& type);

/// The columns of a buffer `[columns, rows]` of doubles, without a copy.
arrow::ArrayVector DoubleColumns(const std::shared_ptr<arrow::Buffer>& values, int64_t columns, int64_t rows);

/// For each row the label that `pick` gives the index of.
Result<arrow::ArrayVector> PickLabels(const arrow::Array& labels, int64_t rows,
                                      const std::function<int64_t(size_t row)>& pick);

/// kUnsupported: probabilities are wanted of a model whose predictions are no labels, or whose library computes them in
/// ways of its own.
Failure NoLabels(const std::string& where);

/// Predictions of labels, and behind them the column `probability_<label>` of each. kUnsupported: two labels of one
/// name.
Result<std::shared_ptr<arrow::Schema>> WithProbabilities(const arrow::Schema& predictions, const arrow::Array& labels,
                                                         const std::shared_ptr<arrow::DataType>& type);

/// The output of the largest value, the first of equals: numpy's argmax over `[outputs, rows]`.
struct FirstLargest {
  const double* values = nullptr;
  size_t outputs = 0, rows = 0;
  int64_t operator()(size_t row) const;
};

}  // namespace slipway::model
