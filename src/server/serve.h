#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "config/config.h"

namespace slipway::server {

struct ServeOptions {
  std::string data_dir = "./slipway-data";
  std::string program;  ///< the slipway binary that runs are executed with
  slipway::config::Config config;
  std::map<std::string, std::string>
      environment;  ///< of the process: AWS_… and MLFLOW_… are passed to scoring processes
};

/// Serves until SIGINT or SIGTERM. `ready` is called with the URL once requests are answered. kConflict: another server
/// uses the data directory.
Result<> Serve(const ServeOptions& options, const std::function<void(const std::string& url)>& ready);

}  // namespace slipway::server
