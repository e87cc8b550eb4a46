#pragma once

#include <filesystem>

#include "base/error.h"
#include "model/python/python_engine.h"

namespace slipway::model {

/// The interpreter that scores the model in `folder`: the configured one; or, with `python.environment = model`, that
/// of an environment made from the model's requirements.txt and Python version (environment.py), kept below the cache.
/// kUnsupported: it cannot be made, with pip's words.
Result<std::string> InterpreterFor(const PythonEngine& engine, const std::filesystem::path& folder);

}  // namespace slipway::model
