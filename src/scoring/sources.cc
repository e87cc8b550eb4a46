#include "scoring/sources.h"

namespace slipway::scoring {
namespace {

constexpr size_t kMostLoadedModels = 8;

}  // namespace

Result<std::unique_ptr<iceberg::Catalog>> OpenCatalog(const Places& places) {
  return iceberg::OpenSqlCatalog(places.catalog_file, places.catalog_name, places.warehouse);
}

Result<Sources> OpenSources(const Places& places, const registry::RegistryCredentials& credentials) {
  Sources sources;
  ASSIGN(sources.catalog, OpenCatalog(places));
  sources.catalog_name = places.catalog_name;
  ASSIGN(sources.registry, registry::OpenRegistry(places.registry, credentials));
  sources.models = std::make_unique<LoadedModels>(kMostLoadedModels);
  return sources;
}

}  // namespace slipway::scoring
