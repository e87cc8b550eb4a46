#include <fmt/format.h>

#include <filesystem>

#include "auth/platform_keys.h"
#include "base/file.h"
#include "base/format.h"
#include "cli/commands.h"
#include "cli/environment.h"
#include "server/serve.h"

namespace slipway::cli {
namespace {

/// What serve and config share: where the configuration comes from.
struct ConfigFlags {
  std::string file;
  std::string listen, registry;
  std::vector<std::string> set;
};

std::shared_ptr<ConfigFlags> AddConfigFlags(CLI::App& command) {
  auto flags = std::make_shared<ConfigFlags>();
  command.add_option("--config", flags->file, "a TOML file (default: slipway.toml in the data directory, where it is)");
  command.add_option("--listen", flags->listen, "HOST:PORT; short for --set server.listen=HOST:PORT");
  command.add_option("--registry", flags->registry, "mlflow+http://…, or a folder; short for --set registry.location=…");
  command.add_option("--set", flags->set, "section.key=value, over file and environment");
  return flags;
}

Result<server::Config> LoadConfig(const Context& context, const ConfigFlags& flags) {
  server::Config config;
  auto file = flags.file.empty() ? context.data_dir + "/slipway.toml" : flags.file;
  if (!flags.file.empty() || std::filesystem::exists(file)) {
    ASSIGN(auto text, ReadFile(file, size_t{1} << 20));
    TRY(config.ReadToml(text, file));
  }
  TRY(config.ReadEnvironment(Environment("SLIPWAY_")));
  for (const auto& item : flags.set) {
    auto equals = item.find('=');
    if (equals == std::string::npos) return Fail(ErrorKind::kInvalid, "--set wants section.key=value, not '{}'", item);
    TRY(config.Set(item.substr(0, equals), item.substr(equals + 1), "--set"));
  }
  if (!flags.listen.empty()) TRY(config.Set("server.listen", flags.listen, "--listen"));
  if (!flags.registry.empty()) TRY(config.Set("registry.location", flags.registry, "--registry"));
  return config;
}

}  // namespace

void AddServe(CLI::App& app, Context& context) {
  auto* serve = app.add_subcommand("serve", "run the server: API, cron clock and local dispatcher");
  auto flags = AddConfigFlags(*serve);
  serve->footer("Example:\n  slipway serve --data-dir ./slipway-data --listen 127.0.0.1:8080");
  serve->callback([&context, flags] {
    context.chosen = [&context, flags]() -> Result<> {
      server::ServeOptions options{.data_dir = context.data_dir, .program = context.program};
      ASSIGN(options.config, LoadConfig(context, *flags));
      options.environment = Environment("");
      return server::Serve(options, [&](const std::string& url) {
        fmt::print("Slipway listens on {}\n", url);
        std::fflush(stdout);
      });
    };
  });

  auto* config = app.add_subcommand("config", "print the server's settings and where each comes from; secrets are masked");
  auto config_flags = AddConfigFlags(*config);
  config->footer("Example:\n  SLIPWAY_DISPATCH_TIME_ZONE=Europe/Paris slipway config");
  config->callback([&context, config_flags] {
    context.chosen = [&context, config_flags]() -> Result<> {
      ASSIGN(auto loaded, LoadConfig(context, *config_flags));
      for (const auto& setting : loaded.settings())
        fmt::print("{:26} = {:40} # {}; {}\n", setting.name, Masked(setting), setting.from, setting.help);
      return {};
    };
  });

  auto* rotate = app.add_subcommand("rotate-psk", "make a new platform PSK; the one before goes on working until the next rotation");
  auto only = std::make_shared<bool>(false);
  rotate->add_flag("--only", *only, "the one before stops working at once");
  rotate->callback([&context, only] {
    context.chosen = [&context, only] {
      auto file = context.psk_file.empty() ? context.data_dir + "/platform.psk" : context.psk_file;
      return auth::PlatformKeys::Rotate(file, *only);
    };
  });
}

}  // namespace slipway::cli
