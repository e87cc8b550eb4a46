#pragma once

#include <arrow/type_fwd.h>

#include <filesystem>
#include <memory>

#include "base/error.h"
#include "model/model.h"

namespace slipway::cli {

/// The columns of a Parquet file that `model` wants, as one batch. kInvalid: a column that is not there, or of a type that would lose values.
Result<std::shared_ptr<arrow::RecordBatch>> ReadRowsFor(const model::Model& model, const std::filesystem::path& file);

/// kIo.
Result<> WriteRows(const std::shared_ptr<arrow::RecordBatch>& rows, const std::filesystem::path& file);

}  // namespace slipway::cli
