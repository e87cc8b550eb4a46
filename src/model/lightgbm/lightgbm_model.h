#pragma once

#include <memory>

#include "model/mlmodel.h"
#include "model/model.h"

namespace slipway::model {

/// The `lightgbm` flavor: the text model that `data` names. Signature columns stand for the model's features by position,
/// as MLflow gives them to LightGBM; without a signature they are found by feature name. A text column is a pandas category:
/// its values become the codes that `pandas_categorical` fixes, and one never seen is missing.
Result<std::unique_ptr<Model>> LoadLightGbm(const MlModel& mlmodel, const PythonEngine& python);

}  // namespace slipway::model
