#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/forest/codes.h"
#include "model/forest/ensemble.h"

namespace slipway::model {

/// How XGBoost's margins become predictions (PredTransform of src/objective).
enum class Transform { kIdentity, kSigmoid, kExp, kHinge, kSoftmax, kArgmax };

/// A model file of XGBoost, as far as predictions go.
struct XgboostFile {
  Ensemble ensemble;  ///< sums are the margins: float32, base score first, then trees in their order
  Transform transform = Transform::kIdentity;
  std::string objective;
  std::vector<std::string> feature_names;             ///< empty: the model has none
  std::vector<std::optional<Categories>> categories;  ///< by feature; since 3.1, older files do not have them
};

/// Reads what save_model wrote as JSON or UBJSON (XGBoost 1.3 to 3.x, "Introduction to Model IO"). `only_best`: trees
/// behind the best iteration of early stopping are left out, as the scikit-learn classes do. kUnsupported: another
/// booster or objective, a binary file of old.
Result<XgboostFile> ParseXgboostFile(std::string_view bytes, bool only_best);

/// Margins `[outputs]` become predictions `[outputs]` in place; kArgmax: the first is the class.
void Apply(Transform transform, float* margins, size_t outputs);

}  // namespace slipway::model
