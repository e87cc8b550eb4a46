#pragma once

#include <filesystem>
#include <memory>

#include "model/interface/model.h"
#include "model/mlflow/column_type.h"
#include "model/mlflow/decimals.h"
#include "model/python/python_engine.h"

namespace slipway::model {

struct Extras;

/// Loads the MLflow model in `folder`, with the fastest exact engine for its flavor (see flavors.cc), or with Python
/// where there is none. kInvalid: nobody vouches for it (proof/). kUnsupported: neither can score it, or not with these
/// extras (see MlModel). kCorrupt: a file that is not what MLmodel says.
Result<std::unique_ptr<Model>> LoadModel(const std::filesystem::path& folder, const PythonEngine& python,
                                         const Extras& extras);
Result<std::unique_ptr<Model>> LoadModel(const std::filesystem::path& folder, const PythonEngine& python);

}  // namespace slipway::model
