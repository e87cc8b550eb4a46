#pragma once

#include <string>
#include <string_view>

namespace slipway {

/// RFC 4648 base64 with padding.
std::string Base64(std::string_view bytes);

/// The bytes of base64 text with padding; empty for text that is none.
std::string FromBase64(std::string_view text);

/// HMAC-SHA256 of `bytes`, 32 raw bytes.
std::string HmacSha256(std::string_view key, std::string_view bytes);

}  // namespace slipway
