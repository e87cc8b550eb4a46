#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace slipway::auth {

/// The platform's pre-shared key: 256 random bits as hexadecimal, in a file that only its owner may read. Made at the first
/// start. kDenied: the file can be read by others; kInvalid: it holds no key.
Result<std::string> LoadOrMakePlatformPsk(const std::filesystem::path& file);

/// The key in `Authorization: Bearer <key>` or `Authorization-PSK: <key>`; empty when there is none.
std::string_view KeyIn(std::string_view authorization, std::string_view authorization_psk);

}  // namespace slipway::auth
