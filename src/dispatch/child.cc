#include "dispatch/child.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>

#include "base/format.h"

namespace slipway::dispatch {

Result<int> StartChild(const std::vector<std::string>& arguments, const std::vector<std::string>& given,
                       const std::filesystem::path& output, const std::filesystem::path& error) {
  std::vector<char*> argv, environment;
  for (const auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  std::vector<std::string> kept = given;
  for (const char* name : {"PATH", "HOME", "TZ", "LANG"})
    if (const char* value = std::getenv(name)) kept.push_back(std::string(name) + "=" + value);
  for (auto& item : kept) environment.push_back(item.data());
  environment.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  posix_spawn_file_actions_addopen(&files, 2, error.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  // Nothing else that is open here is the child's: not the server's sockets, and nobody's files.
  posix_spawn_file_actions_addclosefrom_np(&files, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  pid_t pid = 0;
  int code = posix_spawn(&pid, argv[0], &files, &attributes, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (code != 0) return Fail(ErrorKind::kIo, "start {}: {}", arguments[0], std::strerror(code));
  return pid;
}

std::optional<int> TryReap(int pid) {
  int status = 0;
  auto reaped = ::waitpid(pid, &status, WNOHANG);
  if (reaped == 0) return std::nullopt;
  if (reaped < 0) return 1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace slipway::dispatch
