#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "model/forest/features.h"
#include "model/forest/forest.h"
#include "model/interface/model.h"

namespace slipway::model {

/// Sums `[outputs, rows]` of doubles, in a buffer that may be changed, become the columns of predictions.
using ConvertSums = std::function<Result<arrow::ArrayVector>(const std::shared_ptr<arrow::Buffer>& sums, int64_t rows)>;

/// How far from the predictions of such sums the library's own may lie (Model::SpreadOf).
using SpreadOfSums = std::function<Spread(const double* sums, size_t rows)>;

/// What is done to a loader's trees before they are compiled: they become trees over other inputs, which it replaces.
using BeforeTrees = std::function<Result<>(Ensemble&, Inputs&)>;

/// What a loader says of a tree model beside its trees.
struct ForestModelParts {
  Inputs inputs;                  ///< one for each feature, in the ensemble's order
  bool codes_are_pandas = false;  ///< inputs that have codes are pandas categories, which the library makes codes of
  std::shared_ptr<arrow::Schema> outputs;
  ConvertSums convert;
  SpreadOfSums spread;                   ///< null: predictions are exact
  bool probabilities = false;            ///< `convert` gives columns behind what pyfunc gives
  bool contributions = false;            ///< SHAP values of the sums are wanted too
  double contribution_scale = 1;         ///< by which they, and the expected value, are multiplied
  std::vector<double> contribution_add;  ///< to the expected values after that; empty: nothing
};

/// A model of trees that scores Arrow batches through a Forest. With `contributions` each row has, behind the
/// predictions, the column `contribution_<feature>` for each feature and `expected_value`, which add up to its raw
/// score (margin); of several outputs `contribution_<feature>_0`, …. kUnsupported: see Forest::Compile and
/// Contributions::Of.
Result<std::unique_ptr<Model>> MakeForestModel(Ensemble ensemble, ForestModelParts parts);

}  // namespace slipway::model
