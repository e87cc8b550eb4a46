#pragma once

#include <functional>
#include <string>

#include "base/error.h"

namespace slipway::server {

struct ServeOptions {
  std::string data_dir = "./slipway-data";
  std::string host = "127.0.0.1";
  int port = 8080;
  std::string program;  ///< the slipway binary that runs are executed with
};

/// Serves until SIGINT or SIGTERM; runs that are going on go on. `ready` is called with the port once requests are answered.
/// kConflict: another server uses the data directory.
Result<> Serve(const ServeOptions& options, const std::function<void(int port)>& ready);

}  // namespace slipway::server
