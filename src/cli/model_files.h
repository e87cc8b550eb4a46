#pragma once

#include <arrow/type_fwd.h>

#include <filesystem>
#include <memory>

#include "base/error.h"
#include "cli/commands.h"
#include "model/model.h"
#include "registry/registry.h"

namespace slipway::cli {

/// `name`, `name/3`, `name@champion`, or a folder that save_model wrote. The newest version where none is named.
/// kNotFound.
Result<registry::ModelVersion> FindModel(const Context& context, const std::string& named);

/// The columns of a Parquet file that `model` wants, as one batch. kInvalid: a column that is not there, or of a type
/// that would lose values.
Result<std::shared_ptr<arrow::RecordBatch>> ReadRowsFor(const model::Model& model, const std::filesystem::path& file);

/// `count` rows to try a model on: those around all that it decides by, or those of its input example, as often as it
/// takes. kUnsupported: it has neither.
Result<std::shared_ptr<arrow::RecordBatch>> RowsMadeFor(const model::Model& model, int64_t count);

/// kIo.
Result<> WriteRows(const std::shared_ptr<arrow::RecordBatch>& rows, const std::filesystem::path& file);

}  // namespace slipway::cli
