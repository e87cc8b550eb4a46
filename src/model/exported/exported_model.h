#pragma once

#include <memory>

#include "model/interface/model.h"
#include "model/mlflow/mlmodel.h"
#include "model/python/python_engine.h"

namespace slipway::model {

/// The `sklearn` and `catboost` flavors, and LightGBM's scikit-learn classes, whose files only their libraries can
/// read: a Python process writes down trees or weights, and what a pipeline does before them, once for each model
/// (export.py); the file is kept by the model's digest in the engine's cache. It scores natively only after it has
/// given what `mlflow.pyfunc` gives on rows around all that it decides by. kUnsupported: no interpreter, a model or
/// step that cannot be exported, or other answers than pyfunc's.
Result<std::unique_ptr<Model>> LoadExported(const MlModel& mlmodel, const PythonEngine& python);

}  // namespace slipway::model
