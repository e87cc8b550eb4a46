#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "model/signature.h"

namespace slipway::model {

/// What Slipway reads of an MLmodel file (MLflow, "MLflow Models", storage format).
struct MlModel {
  std::filesystem::path folder;
  std::optional<Signature> signature;
  std::map<std::string, std::map<std::string, std::string>> flavors;  ///< flavor → scalar settings
};

/// kNotFound, kCorrupt: not YAML or without flavors. At most 1 MiB.
Result<MlModel> ReadMlModel(const std::filesystem::path& folder);

}  // namespace slipway::model
