#include "dispatch/child.h"

#include <cstdlib>

#include "base/process.h"

namespace slipway::dispatch {

Result<int> StartChild(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                       const std::filesystem::path& output, const std::filesystem::path& error) {
  Program program{.arguments = arguments, .environment = environment, .output = output, .error = error};
  for (const char* name : {"PATH", "HOME", "TZ", "LANG"})
    if (const char* value = std::getenv(name)) program.environment.push_back(std::string(name) + "=" + value);
  return StartProcess(program);
}

std::optional<int> TryReap(int pid) {
  auto end = slipway::TryReap(pid);
  return end ? std::optional(end->code()) : std::nullopt;
}

}  // namespace slipway::dispatch
