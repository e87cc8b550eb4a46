#include "base/encoding.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cctype>

namespace slipway {
namespace {

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

std::string Base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');  // one more for the terminating zero that OpenSSL writes
  int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), Bytes(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<size_t>(size));
  return text;
}

std::optional<std::string> FromBase64(std::string_view text) {
  auto stripped = text.substr(0, text.find_last_not_of('=') + 1);
  auto padding = text.size() - stripped.size();
  if (padding != 0 && (text.size() % 4 != 0 || padding > 2)) return std::nullopt;
  auto of_alphabet = [](unsigned char c) { return std::isalnum(c) || c == '+' || c == '/'; };
  if (!std::ranges::all_of(stripped, of_alphabet) || stripped.size() % 4 == 1) return std::nullopt;
  std::string padded(stripped);
  padded.append((4 - stripped.size() % 4) % 4, '=');
  std::string bytes(padded.size() / 4 * 3, '\0');
  if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), Bytes(padded), static_cast<int>(padded.size())) <
      0)
    return std::nullopt;
  bytes.resize(stripped.size() * 3 / 4);
  return bytes;
}

std::string HmacSha256(std::string_view key, std::string_view bytes) {
  std::string code(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(bytes), bytes.size(),
       reinterpret_cast<unsigned char*>(code.data()), &size);
  code.resize(size);
  return code;
}

}  // namespace slipway
