#pragma once

#include <functional>

#include "registry/registry.h"

namespace slipway::registry {

/// Downloaded model versions, a folder each: `<root>/<key>/{model/, digest, lock}`. Several processes may share it. A
/// version is downloaded beside its place and renamed into it, so that it is there whole or not at all.
class ModelCache {
 public:
  /// `most_bytes`: when more is kept, what was used longest ago is deleted, unless somebody holds it.
  ModelCache(std::filesystem::path root, int64_t most_bytes) : root_(std::move(root)), most_bytes_(most_bytes) {}

  /// Fills in folder, digest and hold of the version with `version.key`; downloads it into the folder that it is given
  /// where it is missing, or no longer what was downloaded.
  Result<> Fetch(ModelVersion& version, const std::function<Result<>(const std::filesystem::path&)>& download) const;

 private:
  /// False where it is not there, or damaged.
  Result<bool> Find(ModelVersion& version) const;
  void Tidy(const std::string& kept) const;
  std::filesystem::path root_;
  int64_t most_bytes_;
};

}  // namespace slipway::registry
