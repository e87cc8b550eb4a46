#include "model/python/other_user.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include "base/format.h"

namespace slipway::model {
namespace {

namespace fs = std::filesystem;

/// Reads the rights of the other user as the kernel sees them: in a thread that is theirs, which the system calls allow
/// where the C library changes whole processes.
bool CanRead(const OtherUser& user, const fs::path& model) {
  bool can = false;
  std::thread([&] {
    if (::syscall(SYS_setgroups, 0, nullptr) != 0 ||
        ::syscall(SYS_setresgid, user.group, user.group, user.group) != 0 ||
        ::syscall(SYS_setresuid, user.user, user.user, user.user) != 0)
      return;
    std::error_code code;
    can = ::access(model.c_str(), R_OK | X_OK) == 0;
    for (fs::recursive_directory_iterator at(model, code), end; can && !code && at != end; at.increment(code))
      can = at->is_symlink(code) || ::access(at->path().c_str(), at->is_directory(code) ? R_OK | X_OK : R_OK) == 0;
    can &= !code;
  }).join();
  return can;
}

Failure System(const char* what, const fs::path& path) {
  return Fail(ErrorKind::kIo, "{} {} for python.user: {}", what, path.string(), std::strerror(errno));
}

}  // namespace

Result<OtherUser> FindUser(const std::string& name) {
  passwd entry = {};
  passwd* found = nullptr;
  std::array<char, 1 << 14> texts{};
  if (::getpwnam_r(name.c_str(), &entry, texts.data(), texts.size(), &found) != 0 || found == nullptr)
    return Fail(ErrorKind::kInvalid, "python.user = {}: this machine has no such user", name);
  if (found->pw_uid == 0) return Fail(ErrorKind::kInvalid, "python.user = {}: models must not be root's", name);
  if (::geteuid() != 0)
    return Fail(
        ErrorKind::kInvalid,
        "python.user = {}: only a process of root can run models as another user; this one is of user {}. Start "
        "it as root, or unset python.user",
        name, ::geteuid());
  return OtherUser{found->pw_uid, found->pw_gid};
}

Result<fs::path> MakeHome(const OtherUser& user, const fs::path& place) {
  auto home = place / "home";
  if (::chown(place.c_str(), ::geteuid(), user.group) != 0 || ::chmod(place.c_str(), 0710) != 0)
    return System("open", place);
  if (::mkdir(home.c_str(), 0700) != 0 || ::chown(home.c_str(), user.user, user.group) != 0)
    return System("make", home);
  return home;
}

Result<fs::path> ReadableModel(const OtherUser& user, const fs::path& model, const fs::path& place) {
  if (CanRead(user, model)) return model;
  auto copy = place / "model";
  std::error_code code;
  fs::copy(model, copy, fs::copy_options::recursive | fs::copy_options::copy_symlinks, code);
  constexpr auto kFile = fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read;
  constexpr auto kFolder = kFile | fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec;
  if (!code) fs::permissions(copy, kFolder, code);
  for (fs::recursive_directory_iterator at(copy, code), end; !code && at != end; at.increment(code))
    if (!at->is_symlink()) fs::permissions(at->path(), at->is_directory() ? kFolder : kFile, code);
  if (code) return Fail(ErrorKind::kIo, "copy {} for python.user: {}", model.string(), code.message());
  return copy;
}

}  // namespace slipway::model
