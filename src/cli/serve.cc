#include <fmt/format.h>

#include <charconv>

#include "base/format.h"
#include "cli/commands.h"
#include "server/serve.h"

namespace slipway::cli {
namespace {

Result<> SplitAddress(const std::string& listen, server::ServeOptions& options) {
  auto colon = listen.rfind(':');
  auto port = listen.substr(colon == std::string::npos ? 0 : colon + 1);
  auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), options.port);
  if (code != std::errc{} || end != port.data() + port.size() || options.port < 0 || options.port > 65535)
    return Fail(ErrorKind::kInvalid, "--listen wants HOST:PORT, not '{}'", listen);
  if (colon != std::string::npos) options.host = listen.substr(0, colon);
  if (options.host.starts_with('[') && options.host.ends_with(']')) options.host = options.host.substr(1, options.host.size() - 2);
  return {};
}

}  // namespace

void AddServe(CLI::App& app, Context& context) {
  auto* serve = app.add_subcommand("serve", "run the server: API, cron clock and local dispatcher");
  auto listen = std::make_shared<std::string>("127.0.0.1:8080");
  serve->add_option("--listen", *listen, "HOST:PORT on loopback; port 0 takes a free one")->capture_default_str();
  serve->footer("Example:\n  slipway serve --data-dir ./slipway-data --listen 127.0.0.1:8080");
  serve->callback([&context, listen] {
    context.chosen = [&context, listen]() -> Result<> {
      server::ServeOptions options{.data_dir = context.data_dir, .program = context.program};
      TRY(SplitAddress(*listen, options));
      return server::Serve(options, [&](int port) {
        fmt::print("Slipway listens on http://{}:{}\nThe platform PSK is in {}/platform.psk\n", options.host, port, options.data_dir);
        std::fflush(stdout);
      });
    };
  });
}

}  // namespace slipway::cli
