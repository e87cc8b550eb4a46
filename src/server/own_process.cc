#include "server/own_process.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/format.h"
#include "base/log.h"

namespace slipway::server {
namespace {

namespace fs = std::filesystem;

constexpr rlim_t kMostFiles = 65'536;  // more only make programs slow that close all that they might have inherited
constexpr auto kOthers = fs::perms::others_all | fs::perms::group_write;

/// What Slipway makes in its data directory. Folders keep others out of all that is in them.
constexpr const char* kOurs[] = {"slipway.db",     "slipway.db-wal", "slipway.db-shm", "catalog.db", "catalog.db-wal",
                                 "catalog.db-shm", "server.lock",    "platform.psk",   "runs",       "models",
                                 "model-cache",    "warehouse",      "python"};

}  // namespace

int RaiseFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  auto most = std::max(limit.rlim_cur, std::min(limit.rlim_max, kMostFiles));
  rlimit raised{most, limit.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &raised) != 0) most = limit.rlim_cur;
  return static_cast<int>(std::min<rlim_t>(most, 1 << 30));
}

void KeepFilesToOurselves() { ::umask(027); }

Result<> OpenDataFolder(const std::string& data_dir) {
  std::error_code code;
  if (!fs::exists(data_dir, code)) {
    TRY(CreateFolders(data_dir));
    fs::permissions(data_dir, fs::perms::owner_all, code);
    if (code) return Fail(ErrorKind::kIo, "{}: {}", data_dir, code.message());
    return {};
  }
  TRY(CreateFolders(data_dir));  // says what is wrong with one that is no folder
  auto mode = fs::status(data_dir, code).permissions();
  if ((mode & kOthers) != fs::perms::none)
    Log(LogLevel::kWarning, "data_dir_open_to_others",
        {{"data_dir", data_dir},
         {"mode", fmt::format("{:04o}", static_cast<unsigned>(mode & fs::perms::mask))},
         {"advice", "chmod 0700: the server made what is its own in it private, and leaves the folder as it is"}});
  for (const char* name : kOurs) {
    auto path = fs::path(data_dir) / name;
    auto status = fs::symlink_status(path, code);
    if (code || fs::is_symlink(status) || !fs::exists(status) || (status.permissions() & kOthers) == fs::perms::none)
      continue;
    fs::permissions(path, kOthers, fs::perm_options::remove, code);
    Log(LogLevel::kInfo, "taken_from_others", {{"path", path.string()}, {"error", code ? code.message() : ""}});
  }
  return {};
}

}  // namespace slipway::server
