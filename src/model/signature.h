#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace slipway::model {

/// One column of an MLflow signature (mlflow.types.ColSpec), or of a tensor whose rows are columns (TensorSpec).
struct ColumnSpec {
  std::string name;
  std::string type;  ///< boolean, integer, long, float, double, string, binary, datetime; of outputs also array<double>, …
  bool required = true;
};

/// MLflow's model signature, as far as columns go.
struct Signature {
  std::vector<ColumnSpec> inputs;
  std::vector<ColumnSpec> outputs;  ///< empty: the model was saved without
};

/// Reads the `signature` of an MLmodel file, whose parts are JSON inside YAML. kUnsupported: nested columns, tensors of three dimensions, and
/// tensors that name no columns.
Result<Signature> ParseSignature(const std::string& inputs_json, const std::string& outputs_json);

}  // namespace slipway::model
