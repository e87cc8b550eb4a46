#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "server/config.h"

namespace slipway::server {

struct ServeOptions {
  std::string data_dir = "./slipway-data";
  std::string program;  ///< the slipway binary that runs are executed with
  Config config;
};

/// Serves until SIGINT or SIGTERM. `ready` is called with the port once requests are answered. kConflict: another server uses the
/// data directory.
Result<> Serve(const ServeOptions& options, const std::function<void(int port)>& ready);

}  // namespace slipway::server
