#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/error.h"

namespace slipway::model {

/// The types of a signature's columns (mlflow.types.DataType). kOther: a list, or a type that only Python knows.
enum class ColumnType : uint8_t {
  kOther,
  kBoolean,
  kInteger,
  kLong,
  kFloat,
  kDouble,
  kString,
  kBinary,
  kDatetime,
};

/// By MLflow's name: "double".
ColumnType ColumnTypeOf(std::string_view name);

/// MLflow's name of the column that a tensor of numpy's type becomes ("float32" → "float"); empty: it becomes none.
std::string_view ColumnTypeOfTensor(std::string_view numpy_name);

/// What a prediction column of this type is in a table; also lists of them, "array<double>". kUnsupported: it cannot be
/// written to one.
Result<std::shared_ptr<arrow::DataType>> ArrowTypeOf(std::string_view name);

/// Whether a table's column can be given for a signature's type: widening is silent, losing is refused, but for a
/// decimal that becomes a double (decimals.h).
bool Feeds(const arrow::DataType& column, std::string_view name);

}  // namespace slipway::model
