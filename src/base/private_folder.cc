#include "base/private_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/format.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kName = "slipway-private-";

fs::path TemporaryFolder() {
  std::error_code code;
  auto folder = fs::temp_directory_path(code);
  return code ? fs::path("/tmp") : folder;
}

int OpenFolder(const fs::path& path) { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }

/// Removes the folder if it is this user's and nobody holds its lock.
void RemoveIfAbandoned(const fs::path& path) {
  int folder = OpenFolder(path);
  if (folder < 0) return;
  struct stat about = {};
  std::error_code code;
  if (::fstat(folder, &about) == 0 && about.st_uid == ::geteuid() && ::flock(folder, LOCK_EX | LOCK_NB) == 0)
    fs::remove_all(path, code);
  ::close(folder);
}

}  // namespace

Result<PrivateFolder> PrivateFolder::Make() {
  auto parent = TemporaryFolder();
  std::error_code code;
  for (fs::directory_iterator at(parent, code), end; !code && at != end; at.increment(code))
    if (at->path().filename().string().starts_with(kName)) RemoveIfAbandoned(at->path());
  while (true) {
    auto name = (parent / kName).string() + "XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) return Fail(ErrorKind::kIo, "create {}: {}", name, std::strerror(errno));
    int folder = OpenFolder(name);
    struct stat about = {};
    bool locked = folder >= 0 && ::flock(folder, LOCK_EX) == 0 && ::fstat(folder, &about) == 0;
    if (locked && about.st_nlink > 0) return PrivateFolder(name, folder);
    int error = errno;
    if (folder >= 0) ::close(folder);
    if (locked || error == ENOENT) continue;  // another process took it for an abandoned one before it was locked
    return Fail(ErrorKind::kIo, "lock {}: {}", name, std::strerror(error));
  }
}

PrivateFolder::~PrivateFolder() {
  if (lock_ < 0) return;
  std::error_code code;
  fs::remove_all(path_, code);
  ::close(lock_);
}

}  // namespace slipway
