#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/time.h"
#include "registry/registry.h"

namespace slipway::registry {

struct RegisteredModel {
  std::string name;
  std::vector<std::string> versions;                         ///< ascending
  std::vector<std::pair<std::string, std::string>> aliases;  ///< alias → version
};

/// What belongs to a registration beside the copy.
struct Registration {
  std::string alias;  ///< that is to point at the new version; empty: none
  /// Looks at the copied model before it is a version; an error refuses it. Null: every model is taken.
  std::function<Result<>(const std::filesystem::path& model)> accept;
};

/// The embedded registry: `<root>/<name>/versions/<n>/{model/, version.json}` and `<root>/<name>/aliases/<alias>`.
/// Every change is one rename, so that readers in other processes see the old state or the new one.
class FolderRegistry final : public Registry {
 public:
  explicit FolderRegistry(std::filesystem::path root) : root_(std::move(root)) {}

  /// Copies the MLflow model in `folder` as the next version, counted from 1, and points the alias at it: all of it, or
  /// nothing. kInvalid: a bad name, or no MLmodel file; what `accept` says.
  Result<ModelVersion> Register(const std::string& name, const std::filesystem::path& folder, const Clock& clock,
                                const Registration& registration = {}) const;

  /// Points an alias at a version. kNotFound: no such version.
  Result<> SetAlias(const std::string& name, const std::string& alias, const std::string& version) const;

  Result<ModelVersion> Resolve(const ModelReference& reference) override;
  Result<> Fetch(ModelVersion& version) override;

  Result<std::vector<RegisteredModel>> List() const;

 private:
  Result<> Fill(const std::filesystem::path& staging, const std::filesystem::path& folder, const Clock& clock,
                const Registration& registration) const;
  Result<ModelVersion> Load(const std::string& name, const std::string& version) const;
  std::filesystem::path root_;
};

}  // namespace slipway::registry
