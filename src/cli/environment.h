#pragma once

#include <map>
#include <string>

#include "registry/registry.h"

namespace slipway::cli {

/// The variables of this process whose names start with `prefix`.
std::map<std::string, std::string> Environment(const std::string& prefix);

/// MLFLOW_TRACKING_TOKEN, MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, as MLflow's own client reads them.
registry::RegistryCredentials RegistryCredentialsOfEnvironment();

}  // namespace slipway::cli
