#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace slipway {

/// RFC 4648 base64 with padding.
std::string Base64(std::string_view bytes);

/// The bytes of RFC 4648 base64, with its padding or without any; nothing for text that is not base64.
std::optional<std::string> FromBase64(std::string_view text);

/// HMAC-SHA256 of `bytes`, 32 raw bytes.
std::string HmacSha256(std::string_view key, std::string_view bytes);

}  // namespace slipway
