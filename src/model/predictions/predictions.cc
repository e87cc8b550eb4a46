#include "model/predictions/predictions.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/compute/api_vector.h>
#include <arrow/scalar.h>
#include <arrow/type.h>

#include <set>

#include "base/arrow.h"
#include "base/format.h"

namespace slipway::model {

std::shared_ptr<arrow::Schema> PredictionSchema(size_t outputs, const std::shared_ptr<arrow::DataType>& type) {
  arrow::FieldVector fields;
  for (size_t k = 0; k < outputs; ++k)
    fields.push_back(arrow::field(outputs == 1 ? "prediction" : fmt::format("prediction_{}", k), type, false));
  return arrow::schema(std::move(fields));
}

arrow::ArrayVector DoubleColumns(const std::shared_ptr<arrow::Buffer>& values, int64_t columns, int64_t rows) {
  arrow::ArrayVector arrays;
  auto bytes = rows * static_cast<int64_t>(sizeof(double));
  for (int64_t k = 0; k < columns; ++k)
    arrays.push_back(std::make_shared<arrow::DoubleArray>(rows, arrow::SliceBuffer(values, k * bytes, bytes)));
  return arrays;
}

Result<arrow::ArrayVector> PickLabels(const arrow::Array& labels, int64_t rows,
                                      const std::function<int64_t(size_t row)>& pick) {
  ARROW_ASSIGN(std::shared_ptr<arrow::Buffer> picked,
               arrow::AllocateBuffer(rows * static_cast<int64_t>(sizeof(int64_t))));
  auto* indices = picked->mutable_data_as<int64_t>();
  for (int64_t row = 0; row < rows; ++row) indices[row] = pick(static_cast<size_t>(row));
  ARROW_ASSIGN(auto array, arrow::compute::Take(labels, arrow::Int64Array(rows, picked)));
  return arrow::ArrayVector{array};
}

Failure NoLabels(const std::string& where) {
  return Fail(ErrorKind::kUnsupported,
              "{}: probabilities can be given only of classifiers that predict labels, and only where they are exact "
              "outside of the library: log the model without slipway.probabilities",
              where);
}

Result<std::shared_ptr<arrow::Schema>> WithProbabilities(const arrow::Schema& predictions, const arrow::Array& labels,
                                                         const std::shared_ptr<arrow::DataType>& type) {
  auto fields = predictions.fields();
  std::set<std::string> names;
  for (int64_t k = 0; k < labels.length(); ++k) {
    ARROW_ASSIGN(auto label, labels.GetScalar(k));
    auto name = "probability_" + label->ToString();
    if (!names.insert(name).second)
      return Fail(ErrorKind::kUnsupported, "probabilities: two columns would be called '{}'", name);
    fields.push_back(arrow::field(name, type, false));
  }
  return arrow::schema(std::move(fields));
}

int64_t FirstLargest::operator()(size_t row) const {
  size_t best = 0;
  for (size_t k = 1; k < outputs; ++k)
    if (values[k * rows + row] > values[best * rows + row]) best = k;
  return static_cast<int64_t>(best);
}

}  // namespace slipway::model
