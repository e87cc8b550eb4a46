#pragma once

#include <filesystem>

#include "model/proof/engine_record.h"

namespace slipway::model {

/// Proves the model in `folder` (prove.h), and keeps the record. A model without a native engine has one too that says
/// so, and is loaded. kInvalid, kUnsupported: no engine may score it, see CheckProof, or can: its code or a library
/// cannot be imported.
Result<EngineRecord> ProveModel(const std::filesystem::path& folder, const PythonEngine& python);

/// Keeps the record that the native engine of the model in `folder` may score unproven, unless more is known of it.
Result<EngineRecord> TakeUnproven(const std::filesystem::path& folder, const PythonEngine& python);

}  // namespace slipway::model
