#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"

namespace slipway::registry {

/// How a deployment names a model version: by number, or by an alias that is looked up when a run starts.
struct ModelReference {
  std::string name;
  std::optional<std::string> version, alias;
};

struct ModelVersion {
  std::string name;
  std::string version;
  std::filesystem::path folder;  ///< an MLflow model
  std::string digest;            ///< SHA-256 over the folder's files
};

struct RegisteredModel {
  std::string name;
  std::vector<std::string> versions;                         ///< ascending
  std::vector<std::pair<std::string, std::string>> aliases;  ///< alias → version
};

/// The embedded registry: `<root>/<name>/versions/<n>/{model/, version.json}` and `<root>/<name>/aliases/<alias>`. Every change
/// is one rename, so that readers in other processes see the old state or the new one.
class FolderRegistry {
 public:
  explicit FolderRegistry(std::filesystem::path root) : root_(std::move(root)) {}

  /// Copies the MLflow model in `folder` as the next version, counted from 1. kInvalid: a bad name, or no MLmodel file.
  Result<ModelVersion> Register(const std::string& name, const std::filesystem::path& folder, const Clock& clock) const;

  /// Points an alias at a version. kNotFound: no such version.
  Result<> SetAlias(const std::string& name, const std::string& alias, const std::string& version) const;

  /// kNotFound names what is missing: the model, the version or the alias.
  Result<ModelVersion> Resolve(const ModelReference& reference) const;

  Result<std::vector<RegisteredModel>> List() const;

 private:
  Result<ModelVersion> Load(const std::string& name, const std::string& version) const;
  std::filesystem::path root_;
};

/// kCorrupt when the files of `version` are no longer those that were registered.
Result<> VerifyDigest(const ModelVersion& version);

}  // namespace slipway::registry
