#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "model/mlflow/signature.h"

namespace slipway::model {

/// What is wanted of a model beside what pyfunc gives.
struct Extras {
  bool contributions = false;  ///< SHAP values, as contribution columns
  bool probabilities = false;  ///< of a classifier whose predictions are labels: each label's
  explicit operator bool() const { return contributions || probabilities; }
};

/// What Slipway reads of an MLmodel file (MLflow, "MLflow Models", storage format).
struct MlModel {
  std::filesystem::path folder;
  std::optional<Signature> signature;  ///< the columns of a tensor are called what the metadata `slipway.columns` says
  std::map<std::string, std::map<std::string, std::string>> flavors;  ///< flavor → scalar settings
  Extras extras;  ///< those that the metadata it was logged with asks for (`slipway.contributions`,
                  ///< `slipway.probabilities`)
};

/// kNotFound, kCorrupt: not YAML or without flavors. At most 1 MiB.
Result<MlModel> ReadMlModel(const std::filesystem::path& folder);
/// The same from the file's text.
Result<MlModel> ParseMlModel(const std::string& text, const std::filesystem::path& folder);

/// The columns that stand for a model's features: those of the signature, by position, or doubles of the features' own
/// names. kInvalid where the signature has another number of them.
Result<std::vector<ColumnSpec>> InputsFor(const MlModel& model, const std::vector<std::string>& features);

/// The same by the features' own names, in whatever order the signature has them. kUnsupported: it calls them
/// otherwise.
Result<std::vector<ColumnSpec>> InputsByName(const MlModel& model, const std::vector<std::string>& features);

}  // namespace slipway::model
