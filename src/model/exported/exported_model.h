#pragma once

#include <memory>
#include <string>

#include "model/mlmodel.h"
#include "model/model.h"

namespace slipway::model {

/// The `sklearn` and `catboost` flavors, and LightGBM's scikit-learn classes, whose files only their libraries can read: a Python process
/// writes the trees out once for each model (export.py), and the file is kept by the model's digest in the engine's cache. What was written
/// scores natively only after it has given what `mlflow.pyfunc` gives on rows around all thresholds. kUnsupported: no interpreter, no tree model, or not exactly the same.
Result<std::unique_ptr<Model>> LoadExported(const MlModel& mlmodel, const PythonEngine& python);

/// What tells files and records of one exporter from those of another.
std::string ExporterVersion();

}  // namespace slipway::model
