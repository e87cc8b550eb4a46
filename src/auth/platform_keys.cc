#include "auth/platform_keys.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/file.h"
#include "base/format.h"
#include "base/ids.h"
#include "base/log.h"

namespace slipway::auth {
namespace {

Result<std::vector<std::string>> ReadKeys(const std::filesystem::path& file) {
  struct stat about{};
  if (::stat(file.c_str(), &about) != 0 || (about.st_mode & 037) != 0)
    return Fail(ErrorKind::kDenied,
                "{} can be read by others: chmod 600 it (640 where a group is given it), and rotate the key if it may "
                "have been seen",
                file.string());
  ASSIGN(auto text, ReadFile(file, 4096));
  std::vector<std::string> keys;
  std::string key;
  for (char c : text + "\n") {
    if (!std::isspace(static_cast<unsigned char>(c))) {
      key += c;
    } else if (!key.empty()) {
      if (key.size() < 32) return Fail(ErrorKind::kInvalid, "{} holds a key of less than 32 characters", file.string());
      keys.push_back(std::exchange(key, {}));
    }
  }
  if (keys.empty() || keys.size() > 2)
    return Fail(ErrorKind::kInvalid, "{} must hold one key, or two: the current one first", file.string());
  return keys;
}

}  // namespace

Result<std::unique_ptr<PlatformKeys>> PlatformKeys::Open(std::filesystem::path file) {
  if (!std::filesystem::exists(file)) TRY(WriteFileAtomically(file, RandomHex(32) + "\n", 0600));
  auto keys = std::make_unique<PlatformKeys>(std::move(file));
  TRY(keys->Load());
  return keys;
}

Result<> PlatformKeys::Load() {
  std::error_code code;
  read_at_ = std::filesystem::last_write_time(file_, code);
  ASSIGN(keys_, ReadKeys(file_));
  return {};
}

bool PlatformKeys::Accepts(std::string_view key) {
  std::lock_guard lock(mutex_);
  std::error_code code;
  if (auto changed = std::filesystem::last_write_time(file_, code); !code && changed != read_at_)
    if (auto loaded = Load(); !loaded)
      Log(LogLevel::kError, "platform_keys_not_read", {{"error", loaded.error().message}});
  bool found = false;
  for (const auto& known : keys_) found |= ConstantTimeEqual(key, known);
  return found;
}

Result<> PlatformKeys::Rotate(const std::filesystem::path& file, bool only) {
  ASSIGN(auto keys, ReadKeys(file));
  return WriteFileAtomically(file, RandomHex(32) + "\n" + (only ? "" : keys.front() + "\n"), 0600);
}

bool HasScheme(std::string_view authorization, std::string_view scheme) {
  auto same = [](unsigned char a, char b) { return std::tolower(a) == b; };
  return authorization.size() > scheme.size() && authorization[scheme.size()] == ' ' &&
         std::ranges::equal(authorization.substr(0, scheme.size()), scheme, same);
}

std::string_view BearerIn(std::string_view authorization) {
  return HasScheme(authorization, "bearer") ? authorization.substr(std::string_view("Bearer ").size())
                                            : std::string_view{};
}

}  // namespace slipway::auth
