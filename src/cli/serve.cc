#include <fmt/format.h>

#include "auth/platform_keys.h"
#include "base/file.h"
#include "base/format.h"
#include "base/log.h"
#include "base/own_process.h"
#include "base/private_folder.h"
#include "cli/commands.h"
#include "cli/config_flags.h"
#include "cli/environment.h"
#include "config/settings.h"
#include "model/python/other_user.h"
#include "model/python/probe.h"
#include "server/serve.h"

namespace slipway::cli {
namespace {

/// Refuses a python.user that cannot be, and says what a model could do here that it should not.
Result<> LookAtBox(const Context& context, const config::Config& config) {
  ASSIGN(auto places, config::PlacesOf(config, context.data_dir));
  if (!places.python.user.empty()) TRY(model::FindUser(places.python.user));
  if (model::LandlockVersion() > 0) return {};
  Log(LogLevel::kWarning, "no_landlock",
      {{"means", "models can read and write what their user may"}, {"advice", "see `slipway doctor`"}});
  if (places.python.interpreter.empty()) places.python.interpreter = PythonInterpreter();
  auto probe = model::ProbeBox(places.python);
  if (probe && !probe->packages)
    Log(LogLevel::kWarning, "site_packages_writable",
        {{"folder", probe->packages_folder},
         {"means", "a model can plant code there that the next model runs"},
         {"advice", "make the folder root's, or set python.user"}});
  return {};
}

}  // namespace

void AddServe(Command& app, Context& context) {
  auto* serve = app.add_subcommand("serve", "run the server: API, cron clock and local dispatcher");
  auto flags = AddServerFlags(*serve);
  serve->footer("Example:\n  slipway serve --data-dir ./slipway-data --listen 127.0.0.1:8080");
  serve->callback([&context, flags] {
    context.chosen = [&context, flags]() -> Result<> {
      MakeUndumpable();
      server::ServeOptions options{.data_dir = context.data_dir, .program = context.program};
      ASSIGN(options.config, LoadConfig(context, *flags));
      TRY(LookAtBox(context, options.config));
      options.environment = Environment("");
      // Runs share the Python process that their workers are forked from (docs/decisions/0011-zygote.md).
      auto zygotes = PrivateFolder::Make();
      if (zygotes) options.environment.try_emplace("SLIPWAY_ZYGOTES", zygotes->path().string());
      return server::Serve(options, [&](const std::string& url) {
        fmt::print("Slipway listens on {}\n", url);
        std::fflush(stdout);
      });
    };
  });

  auto* config =
      app.add_subcommand("config", "print the server's settings and where each comes from; secrets are masked");
  auto config_flags = AddServerFlags(*config);
  config->footer("Example:\n  SLIPWAY_DISPATCH_TIME_ZONE=Europe/Paris slipway config");
  config->callback([&context, config_flags] {
    context.chosen = [&context, config_flags]() -> Result<> {
      ASSIGN(auto loaded, LoadConfig(context, *config_flags));
      for (const auto& setting : loaded.settings())
        fmt::print("{:26} = {:40} # {}; {}\n", setting.name, Masked(setting), setting.from, setting.help);
      return {};
    };
  });

  auto* rotate = app.add_subcommand("rotate-psk",
                                    "make a new platform PSK; the one before goes on working until the next rotation");
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
