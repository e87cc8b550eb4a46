#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace slipway::auth {

/// The platform's pre-shared keys: 256 random bits as hexadecimal each, a line each, in a file that only its owner may
/// read. The first line is the current key; a second one is the key before, which goes on working until the next
/// rotation. Thread-safe.
class PlatformKeys {
 public:
  /// Makes the file at the first start. kDenied: it can be read by others; kInvalid: it holds no key.
  static Result<std::unique_ptr<PlatformKeys>> Open(std::filesystem::path file);

  /// Whether `key` is valid now; the file is read again when it has changed.
  bool Accepts(std::string_view key);

  /// Puts a new key in front and keeps the one that was current, or with `only` drops it too.
  static Result<> Rotate(const std::filesystem::path& file, bool only);

  explicit PlatformKeys(std::filesystem::path file) : file_(std::move(file)) {}

 private:
  Result<> Load();
  std::filesystem::path file_;
  std::mutex mutex_;
  std::filesystem::file_time_type read_at_;
  std::vector<std::string> keys_;
};

/// The credential in `Authorization: Bearer <credential>`; empty when there is no such credential.
std::string_view BearerIn(std::string_view authorization);
/// Whether the scheme of an Authorization header is `scheme` (in lower case).
bool HasScheme(std::string_view authorization, std::string_view scheme);

}  // namespace slipway::auth
