#include "auth/platform_psk.h"

#include <sys/stat.h>

#include "base/file.h"
#include "base/format.h"
#include "base/ids.h"

namespace slipway::auth {

Result<std::string> LoadOrMakePlatformPsk(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) {
    auto key = RandomHex(32);
    TRY(WriteFileAtomically(file, key + "\n", 0600));
    return key;
  }
  struct stat about{};
  if (::stat(file.c_str(), &about) != 0 || (about.st_mode & 077) != 0)
    return Fail(ErrorKind::kDenied, "{} can be read by others: chmod 600 it, and replace the key if it may have been seen", file.string());
  ASSIGN(auto key, ReadFile(file, 4096));
  while (!key.empty() && std::isspace(static_cast<unsigned char>(key.back()))) key.pop_back();
  if (key.size() < 32) return Fail(ErrorKind::kInvalid, "{} holds no key of at least 32 characters", file.string());
  return key;
}

std::string_view KeyIn(std::string_view authorization, std::string_view authorization_psk) {
  if (!authorization_psk.empty()) return authorization_psk;
  constexpr std::string_view kBearer = "bearer ";
  if (authorization.size() <= kBearer.size()) return {};
  for (size_t i = 0; i < kBearer.size(); ++i)
    if (std::tolower(static_cast<unsigned char>(authorization[i])) != kBearer[i]) return {};
  return authorization.substr(kBearer.size());
}

}  // namespace slipway::auth
