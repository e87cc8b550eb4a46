#pragma once

#include <string>

#include "model/mlflow/mlmodel.h"
#include "model/proof/engine_record.h"

namespace slipway::model {

/// Compares the native model with what `mlflow.pyfunc` gives, on rows around everything that the model decides by, and
/// on its input example where it has one: types, and bits, or what the library itself leaves open (Model::SpreadOf).
/// The record says which is to score from now on. Errors: the reference cannot be run.
Result<EngineRecord> Prove(const Model& native, const Model& reference);

/// The record of the model with this digest: the known one; else it is proven against Python, and kept. Where Python
/// cannot run the model, or takes no such rows (LightGBM's pandas categories, as text), nothing speaks against the
/// native engine, and the record says that it was not compared.
Result<EngineRecord> ProveOnce(const Model& native, const MlModel& mlmodel, const PythonEngine& python,
                               const std::string& digest);

}  // namespace slipway::model
