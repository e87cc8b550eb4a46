#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "model/model.h"
#include "registry/registry.h"

namespace slipway::scoring {

/// The models that were planned with last, loaded: a server that checks many deployments of few models reads each once.
/// Thread-safe.
class LoadedModels {
 public:
  LoadedModels(size_t most, model::PythonEngine python) : most_(most), python_(std::move(python)) {}

  /// The version's model; fetched and loaded where it is not kept. Errors as of Registry::Fetch and model::LoadModel.
  Result<std::shared_ptr<const model::Model>> Load(registry::Registry& registry, registry::ModelVersion& version);

 private:
  struct Kept {
    registry::ModelVersion version;
    std::shared_ptr<const model::Model> model;
  };
  size_t most_;
  model::PythonEngine python_;
  std::mutex mutex_;
  std::list<Kept> kept_;  ///< used last first
};

}  // namespace slipway::scoring
