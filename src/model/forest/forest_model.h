#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "model/forest/features.h"
#include "model/forest/forest.h"
#include "model/model.h"

namespace slipway::model {

/// Sums `[outputs, rows]` of doubles, in a buffer that may be changed, become the columns of predictions.
using ConvertSums = std::function<Result<arrow::ArrayVector>(const std::shared_ptr<arrow::Buffer>& sums, int64_t rows)>;

/// What a loader says of a tree model beside its trees.
struct ForestModelParts {
  std::vector<ColumnSpec> inputs;                      ///< one for each feature, in the ensemble's order
  std::vector<std::optional<Codes>> codes;             ///< of features whose columns are categories' values
  bool refuses_nan = false, refuses_infinity = false;  ///< what the library itself raises an error on
  std::shared_ptr<arrow::Schema> outputs;
  ConvertSums convert;
  bool probabilities = false;            ///< `convert` gives columns behind what pyfunc gives
  bool contributions = false;            ///< SHAP values of the sums are wanted too
  double contribution_scale = 1;         ///< by which they, and the expected value, are multiplied
  std::vector<double> contribution_add;  ///< to the expected values after that; empty: nothing
};

/// A model of trees that scores Arrow batches through a Forest. With `contributions` each row has, behind the predictions, the column
/// `contribution_<feature>` for each feature and `expected_value`, which add up to its raw score (margin); of several outputs `contribution_<feature>_0`, ….
/// kUnsupported: see Forest::Compile and Contributions::Of.
Result<std::unique_ptr<Model>> MakeForestModel(Ensemble ensemble, ForestModelParts parts);

/// `prediction`, or `prediction_0`, … of several.
std::shared_ptr<arrow::Schema> PredictionSchema(size_t outputs, const std::shared_ptr<arrow::DataType>& type);

/// The columns of a buffer `[columns, rows]` of doubles, without a copy.
arrow::ArrayVector DoubleColumns(const std::shared_ptr<arrow::Buffer>& values, int64_t columns, int64_t rows);

}  // namespace slipway::model
