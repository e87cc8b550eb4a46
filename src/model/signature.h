#pragma once

#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace slipway::model {

/// One named input column of an MLflow signature (mlflow.types.ColSpec).
struct ColumnSpec {
  std::string name;
  std::string type;  ///< boolean, integer, long, float, double, string, binary, datetime
  bool required = true;
};

/// MLflow's model signature, as far as columns go.
struct Signature {
  std::vector<ColumnSpec> inputs;
  std::vector<ColumnSpec> outputs;  ///< empty for a tensor output
};

/// Reads the `signature` of an MLmodel file, whose parts are JSON inside YAML. kUnsupported: tensor inputs, nested columns.
Result<Signature> ParseSignature(const std::string& inputs_json, const std::string& outputs_json);

}  // namespace slipway::model
