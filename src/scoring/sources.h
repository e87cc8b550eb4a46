#pragma once

#include <map>
#include <memory>
#include <string>

#include "registry/registry.h"
#include "scoring/catalogs.h"
#include "scoring/job.h"
#include "scoring/loaded_models.h"

namespace slipway::scoring {

/// Where runs and plans find tables and models.
struct Sources {
  Catalogs catalogs;
  std::unique_ptr<registry::Registry> registry;
  std::unique_ptr<LoadedModels> models;
};

/// What is needed to reach the places, and must not stand in a job.
struct Secrets {
  registry::RegistryCredentials registry;
  CatalogSecrets catalogs;
};

/// Secrets as variables of a scoring process: MLFLOW_TRACKING_TOKEN, _USERNAME and _PASSWORD as MLflow's own client
/// reads them, and SLIPWAY_CATALOGS_<NAME>_CREDENTIAL, _TOKEN and _PASSWORD, as the server's settings are named.
std::map<std::string, std::string> ToEnvironment(const Secrets& secrets);
/// The same back, for the catalogs of `places`.
Secrets FromEnvironment(const std::map<std::string, std::string>& environment, const Places& places);

/// Opens the places of a job or a server. The secrets are the process's own: a job holds none.
Result<Sources> OpenSources(const Places& places, const Secrets& secrets);

}  // namespace slipway::scoring
