#pragma once

#include <arrow/type_fwd.h>

#include <cstddef>
#include <functional>
#include <memory>

#include "base/error.h"

namespace slipway::model {

/// For each row the label that `pick` gives the index of.
Result<arrow::ArrayVector> PickLabels(const arrow::Array& labels, int64_t rows, const std::function<int64_t(size_t row)>& pick);

/// The output of the largest value, the first of equals: numpy's argmax over `[outputs, rows]`.
struct FirstLargest {
  const double* values = nullptr;
  size_t outputs = 0, rows = 0;
  int64_t operator()(size_t row) const;
};

}  // namespace slipway::model
