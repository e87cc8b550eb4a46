#pragma once

#include <filesystem>

#include "model/proof/engine_record.h"

namespace slipway::model {

/// Proves the model in `folder` against Python, and keeps the record. A model without a native engine, or without a way
/// to be run by Python, has a record too that says so, which is not kept. kInvalid, kUnsupported: no engine can score
/// it here, since its code or a library cannot be imported.
Result<EngineRecord> ProveModel(const std::filesystem::path& folder, const PythonEngine& python);

}  // namespace slipway::model
