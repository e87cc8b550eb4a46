#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace slipway::dispatch {

/// Starts a program with its standard output and error in files, in a session of its own, with an environment that
/// holds `environment` (NAME=value) and nothing of the server's but PATH, HOME, TZ and LANG. The process id comes back.
Result<int> StartChild(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                       const std::filesystem::path& output, const std::filesystem::path& error);

/// Whether the child has ended, and then how: its exit code, or 128 + the signal. Nothing while it runs.
std::optional<int> TryReap(int pid);

}  // namespace slipway::dispatch
