#include "model/forest/labels.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/compute/api_vector.h>

#include "base/arrow.h"

namespace slipway::model {

Result<arrow::ArrayVector> PickLabels(const arrow::Array& labels, int64_t rows, const std::function<int64_t(size_t row)>& pick) {
  ARROW_ASSIGN(std::shared_ptr<arrow::Buffer> picked, arrow::AllocateBuffer(rows * static_cast<int64_t>(sizeof(int64_t))));
  auto* indices = picked->mutable_data_as<int64_t>();
  for (int64_t row = 0; row < rows; ++row) indices[row] = pick(static_cast<size_t>(row));
  ARROW_ASSIGN(auto array, arrow::compute::Take(labels, arrow::Int64Array(rows, picked)));
  return arrow::ArrayVector{array};
}

int64_t FirstLargest::operator()(size_t row) const {
  size_t best = 0;
  for (size_t k = 1; k < outputs; ++k)
    if (values[k * rows + row] > values[best * rows + row]) best = k;
  return static_cast<int64_t>(best);
}

}  // namespace slipway::model
