#include "cli/environment.h"

#include <string_view>

extern char** environ;

namespace slipway::cli {

std::map<std::string, std::string> Environment(const std::string& prefix) {
  std::map<std::string, std::string> found;
  for (char** item = environ; *item != nullptr; ++item) {
    std::string_view text = *item;
    auto equals = text.find('=');
    if (equals != std::string_view::npos && text.starts_with(prefix)) found[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  return found;
}

registry::RegistryCredentials RegistryCredentialsOfEnvironment() {
  auto found = Environment("MLFLOW_TRACKING_");
  return {found["MLFLOW_TRACKING_USERNAME"], found["MLFLOW_TRACKING_PASSWORD"], found["MLFLOW_TRACKING_TOKEN"]};
}

}  // namespace slipway::cli
