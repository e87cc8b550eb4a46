#pragma once

#include <memory>

#include "model/interface/model.h"
#include "model/mlflow/mlmodel.h"
#include "model/python/python_engine.h"

namespace slipway::model {

class Worker;

/// Any model with the `python_function` flavor, scored by `mlflow.pyfunc` in Python processes: as many as there are
/// callers of Score, up to one for each core. They start with the first batch. The signature says what goes in and what
/// comes out. A crashed process is started anew and the batch tried once more. `why`: why no native engine scores the
/// model, for facts().
Result<std::unique_ptr<Model>> LoadPython(const MlModel& mlmodel, const PythonEngine& engine, const std::string& why);

/// The same, whose first process is `started`, which has run a program for this model.
Result<std::unique_ptr<Model>> LoadPython(const MlModel& mlmodel, const PythonEngine& engine, const std::string& why,
                                          std::unique_ptr<Worker> started);

}  // namespace slipway::model
