#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <vector>

#include "base/error.h"
#include "model/mlflow/signature.h"

namespace slipway::model {

/// Rows as a model takes them, whose decimal columns among `inputs` are doubles, each the one nearest to the number: so
/// MLflow gives them to a signature of doubles (mlflow.models.utils, _enforce_mlflow_datatype).
Result<std::shared_ptr<arrow::RecordBatch>> DecimalsAsDoubles(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                              const std::vector<ColumnSpec>& inputs);

}  // namespace slipway::model
