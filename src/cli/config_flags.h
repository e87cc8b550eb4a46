#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "server/config.h"

namespace slipway::cli {

/// Where the configuration comes from.
struct ConfigFlags {
  std::string file;
  std::string listen, registry;
  std::vector<std::string> set;
};

/// The flags --config and --set of a command.
std::shared_ptr<ConfigFlags> AddConfigFlags(CLI::App& command);

/// The same, with --listen and --registry: of a command that is about the server.
std::shared_ptr<ConfigFlags> AddServerFlags(CLI::App& command);

/// The file, then the environment, then the flags.
Result<server::Config> LoadConfig(const Context& context, const ConfigFlags& flags);

}  // namespace slipway::cli
