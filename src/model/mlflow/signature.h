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
  std::string type;  ///< as MLflow writes it (column_type.h); of outputs also array<double>, …
  bool required = true;
};

/// A parameter of a model's predict (mlflow.types.ParamSpec). Runs use its default.
struct ParameterSpec {
  std::string name, type;
  std::string fallback;  ///< the default, as JSON; of parameters that cannot be read: all of them, in one
};

/// MLflow's model signature.
struct Signature {
  std::vector<ColumnSpec> inputs;
  std::vector<ColumnSpec> outputs;  ///< empty: the model was saved without
  std::vector<ParameterSpec> parameters;
};

/// Reads the `signature` of an MLmodel file, whose parts are JSON inside YAML. kUnsupported: nested columns, tensors of
/// three dimensions, and tensors that name no columns. `names`: what the columns of the one tensor that goes in are
/// called, where the model was logged with that (metadata `slipway.columns`); kInvalid: another number of them.
Result<Signature> ParseSignature(const std::string& inputs_json, const std::string& outputs_json,
                                 const std::string& parameters_json, const std::vector<std::string>& names);

}  // namespace slipway::model
