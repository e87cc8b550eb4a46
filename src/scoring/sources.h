#pragma once

#include <memory>
#include <string>

#include "iceberg/catalog.h"
#include "registry/registry.h"
#include "scoring/job.h"
#include "scoring/loaded_models.h"

namespace slipway::scoring {

/// Where runs and plans find tables and models.
struct Sources {
  std::unique_ptr<iceberg::Catalog> catalog;
  std::string catalog_name;
  std::unique_ptr<registry::Registry> registry;
  std::unique_ptr<LoadedModels> models;
};

/// Opens the places of a job or a server. The credentials are the process's own: a job holds none.
Result<Sources> OpenSources(const Places& places, const registry::RegistryCredentials& credentials);

/// Opens the catalog alone.
Result<std::unique_ptr<iceberg::Catalog>> OpenCatalog(const Places& places);

}  // namespace slipway::scoring
