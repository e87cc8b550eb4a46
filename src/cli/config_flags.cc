#include "cli/config_flags.h"

#include <filesystem>

#include "base/file.h"
#include "base/format.h"
#include "cli/environment.h"

namespace slipway::cli {

std::shared_ptr<ConfigFlags> AddConfigFlags(Command& command) {
  auto flags = std::make_shared<ConfigFlags>();
  command.add_option("--config", flags->file, "a TOML file (default: slipway.toml in the data directory, where it is)");
  command.add_option("--set", flags->set, "section.key=value, over file and environment");
  return flags;
}

std::shared_ptr<ConfigFlags> AddServerFlags(Command& command) {
  auto flags = AddConfigFlags(command);
  command.add_option("--listen", flags->listen, "HOST:PORT; short for --set server.listen=HOST:PORT");
  command.add_option("--registry", flags->registry,
                     "mlflow+http://…, or a folder; short for --set registry.location=…");
  command.add_flag("--insecure", flags->insecure, "short for --set server.insecure=yes");
  return flags;
}

Result<config::Config> LoadConfig(const Context& context, const ConfigFlags& flags) {
  config::Config config;
  auto file = flags.file.empty() ? context.data_dir + "/slipway.toml" : flags.file;
  if (!flags.file.empty() || std::filesystem::exists(file)) {
    ASSIGN(auto text, ReadFile(file, size_t{1} << 20));
    TRY(config.ReadToml(text, file));
  }
  TRY(config.ReadEnvironment(Environment("SLIPWAY_")));
  for (const auto& item : flags.set) {
    auto equals = item.find('=');
    if (equals == std::string::npos)
      return Fail(ErrorKind::kInvalid, "--set must be section.key=value, not '{}'", item);
    TRY(config.Set(item.substr(0, equals), item.substr(equals + 1), "--set"));
  }
  if (!flags.listen.empty()) TRY(config.Set("server.listen", flags.listen, "--listen"));
  if (flags.insecure) TRY(config.Set("server.insecure", "yes", "--insecure"));
  if (!flags.registry.empty()) TRY(config.Set("registry.location", flags.registry, "--registry"));
  TRY(config.ReadSecretFiles());
  return config;
}

}  // namespace slipway::cli
