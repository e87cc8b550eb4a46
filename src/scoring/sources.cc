#include "scoring/sources.h"

#include <cctype>

namespace slipway::scoring {
namespace {

constexpr size_t kMostLoadedModels = 8;

std::string Variable(const std::string& catalog, const char* key) {
  std::string name = "SLIPWAY_CATALOGS_";
  for (unsigned char c : catalog) name += static_cast<char>(std::toupper(c));
  return name + "_" + key;
}

}  // namespace

std::map<std::string, std::string> ToEnvironment(const Secrets& secrets) {
  const auto& registry = secrets.registry;
  std::map<std::string, std::string> environment{{"MLFLOW_TRACKING_USERNAME", registry.username},
                                                 {"MLFLOW_TRACKING_PASSWORD", registry.password},
                                                 {"MLFLOW_TRACKING_TOKEN", registry.token}};
  for (const auto& [name, catalog] : secrets.catalogs) {
    environment[Variable(name, "CREDENTIAL")] = catalog.credential;
    environment[Variable(name, "TOKEN")] = catalog.token;
    environment[Variable(name, "PASSWORD")] = catalog.password;
  }
  return environment;
}

Secrets FromEnvironment(const std::map<std::string, std::string>& environment, const Places& places) {
  auto text = [&](const std::string& name) {
    auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  };
  Secrets secrets{{text("MLFLOW_TRACKING_USERNAME"), text("MLFLOW_TRACKING_PASSWORD"), text("MLFLOW_TRACKING_TOKEN")},
                  {}};
  for (const auto& place : places.catalogs)
    secrets.catalogs[place.name] = {text(Variable(place.name, "CREDENTIAL")), text(Variable(place.name, "TOKEN")),
                                    text(Variable(place.name, "PASSWORD"))};
  return secrets;
}

Result<Sources> OpenSources(const Places& places, const Secrets& secrets) {
  ASSIGN(auto registry, registry::OpenRegistry(places.registry, secrets.registry));
  return Sources{Catalogs(places.catalogs, secrets.catalogs), std::move(registry),
                 std::make_unique<LoadedModels>(kMostLoadedModels, places.python)};
}

}  // namespace slipway::scoring
