#pragma once

#include <memory>

#include "model/forest/forest_model.h"
#include "model/interface/model.h"
#include "model/mlflow/mlmodel.h"

namespace slipway::model {

/// The `xgboost` flavor: a Booster, or a class of XGBoost's scikit-learn API, whose `predict` MLflow calls (a
/// classifier's gives labels). Columns stand for features by the names that the file has, else by position.
Result<std::unique_ptr<Model>> LoadXgboost(const MlModel& mlmodel);

/// A model of XGBoost's JSON or UBJSON, and of the class that saved it; with `before` it is the last step of a
/// pipeline. `where`: for errors.
Result<std::unique_ptr<Model>> MakeXgboost(const MlModel& mlmodel, std::string_view bytes,
                                           const std::string& model_class, const BeforeTrees& before,
                                           const std::string& where);

}  // namespace slipway::model
