#include "model/mlflow/decimals.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>

#include <charconv>

#include "base/arrow.h"
#include "base/format.h"

namespace slipway::model {
namespace {

/// By the number's text: Arrow's own cast multiplies by a power of ten that is rounded itself.
Result<std::shared_ptr<arrow::Array>> AsDoubles(const arrow::Decimal128Array& column) {
  arrow::DoubleBuilder doubles;
  ARROW_TRY(doubles.Reserve(column.length()));
  for (int64_t row = 0; row < column.length(); ++row) {
    if (column.IsNull(row)) {
      doubles.UnsafeAppendNull();
      continue;
    }
    const auto text = column.FormatValue(row);
    double number = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc())
      return Fail(ErrorKind::kInternal, "the decimal {} is no double", text);
    doubles.UnsafeAppend(number);
  }
  ARROW_ASSIGN(auto array, doubles.Finish());
  return array;
}

}  // namespace

Result<std::shared_ptr<arrow::RecordBatch>> DecimalsAsDoubles(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                              const std::vector<ColumnSpec>& inputs) {
  auto fed = rows;
  for (const auto& input : inputs) {
    const int at = rows->schema()->GetFieldIndex(input.name);
    if (at < 0 || rows->column(at)->type_id() != arrow::Type::DECIMAL128) continue;
    ASSIGN(auto doubles, AsDoubles(static_cast<const arrow::Decimal128Array&>(*rows->column(at))));
    ARROW_ASSIGN(fed, fed->SetColumn(at, rows->schema()->field(at)->WithType(arrow::float64()), doubles));
  }
  return fed;
}

}  // namespace slipway::model
