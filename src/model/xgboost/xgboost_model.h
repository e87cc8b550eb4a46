#pragma once

#include <memory>

#include "model/mlmodel.h"
#include "model/model.h"

namespace slipway::model {

/// The `xgboost` flavor: a Booster, or a class of XGBoost's scikit-learn API, whose `predict` MLflow calls (a classifier's gives labels).
/// Columns stand for features by position.
Result<std::unique_ptr<Model>> LoadXgboost(const MlModel& mlmodel, const PythonEngine& python);

}  // namespace slipway::model
