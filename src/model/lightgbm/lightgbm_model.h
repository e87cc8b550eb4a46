#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string_view>

#include "model/forest/forest_model.h"
#include "model/interface/model.h"
#include "model/mlflow/mlmodel.h"

namespace slipway::model {

/// The `lightgbm` flavor: the text model that `data` names. Signature columns stand for the model's features by
/// position, as MLflow gives them to LightGBM; without a signature they are found by feature name. A column
/// that is a pandas category has its values become the codes that `pandas_categorical` fixes, and one never seen is
/// missing.
Result<std::unique_ptr<Model>> LoadLightGbm(const MlModel& mlmodel);

/// Whether the flavor has a pickled scikit-learn class in place of a text, which only Python can read.
bool IsPickledLightGbm(const MlModel& mlmodel);

/// A model of LightGBM's text, whose probabilities pick one of `labels` where there are any, as LGBMClassifier.predict
/// does. With `before` it is the last step of a pipeline. `where`: for errors.
Result<std::unique_ptr<Model>> MakeLightGbm(const MlModel& mlmodel, std::string_view text,
                                            const std::shared_ptr<arrow::Array>& labels, const BeforeTrees& before,
                                            const std::string& where);

}  // namespace slipway::model
