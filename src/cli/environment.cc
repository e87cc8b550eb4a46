#include "cli/environment.h"

#include <filesystem>
#include <string_view>

#include "config/settings.h"

extern char** environ;

namespace slipway::cli {

std::map<std::string, std::string> Environment(const std::string& prefix) {
  std::map<std::string, std::string> found;
  for (char** item = environ; *item != nullptr; ++item) {
    std::string_view text = *item;
    auto equals = text.find('=');
    if (equals != std::string_view::npos && text.starts_with(prefix))
      found[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  return found;
}

model::PythonEngine EngineOf(const Context& context) {
  auto found = Environment("SLIPWAY_PYTHON_");
  return {.interpreter = PythonInterpreter(),
          .cache = (std::filesystem::absolute(context.data_dir) / "engines").string(),
          .environment_of_model = found["SLIPWAY_PYTHON_ENVIRONMENT"] == "model",
          .readable = config::Paths(found["SLIPWAY_PYTHON_READABLE"]),
          .writable = config::Paths(found["SLIPWAY_PYTHON_WRITABLE"]),
          .user = found["SLIPWAY_PYTHON_USER"]};
}

std::string PythonInterpreter() {
  auto found = Environment("SLIPWAY_PYTHON");
  return found.contains("SLIPWAY_PYTHON") ? found["SLIPWAY_PYTHON"] : "python3";
}

}  // namespace slipway::cli
