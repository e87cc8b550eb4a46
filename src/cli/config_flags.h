#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "config/config.h"

namespace slipway::cli {

/// Where the configuration comes from.
struct ConfigFlags {
  std::string file;
  std::string listen, registry;
  std::vector<std::string> set;
  bool insecure = false;
};

/// The flags --config and --set of a command.
std::shared_ptr<ConfigFlags> AddConfigFlags(Command& command);

/// The same, with --listen and --registry: of a command that is about the server.
std::shared_ptr<ConfigFlags> AddServerFlags(Command& command);

/// The file, then the environment, then the flags.
Result<config::Config> LoadConfig(const Context& context, const ConfigFlags& flags);

}  // namespace slipway::cli
