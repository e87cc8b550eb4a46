#include "base/ids.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <array>
#include <cctype>
#include <cstdlib>
#include <cstring>

namespace slipway {
namespace {

void FillRandom(unsigned char* bytes, size_t count) {
  // Without randomness neither keys nor ids are safe: there is nothing to go on with.
  if (RAND_bytes(bytes, static_cast<int>(count)) != 1) std::abort();
}

/// The first 16 bytes as a UUID of some version.
std::string AsUuid(unsigned char* b, int version) {
  b[6] = static_cast<unsigned char>((b[6] & 0x0f) | (version << 4));
  b[8] = static_cast<unsigned char>((b[8] & 0x3f) | 0x80);
  auto hex = Hex(b, 16);
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" + hex.substr(16, 4) + "-" +
         hex.substr(20);
}

}  // namespace

std::string Hex(const unsigned char* bytes, size_t count) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(count * 2);
  for (size_t i = 0; i < count; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

std::string RandomHex(size_t bytes) {
  std::string raw(bytes, '\0');
  FillRandom(reinterpret_cast<unsigned char*>(raw.data()), bytes);
  return Hex(reinterpret_cast<const unsigned char*>(raw.data()), bytes);
}

std::string NewUuid() {
  std::array<unsigned char, 16> b{};
  FillRandom(b.data(), b.size());
  return AsUuid(b.data(), 4);
}

std::string UuidOf(std::string_view name_space, std::string_view name) {
  std::string bytes;
  std::string digits;
  for (char c : name_space)
    if (c != '-') digits += c;
  for (size_t i = 0; i + 1 < digits.size(); i += 2)
    bytes += static_cast<char>(std::strtol(digits.substr(i, 2).c_str(), nullptr, 16));
  bytes += name;
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return AsUuid(digest.data(), 5);
}

bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !std::isxdigit(static_cast<unsigned char>(text[i]))) return false;
  }
  return true;
}

int64_t NewSnapshotId() {
  uint64_t value = 0;
  FillRandom(reinterpret_cast<unsigned char*>(&value), sizeof value);
  auto id = static_cast<int64_t>(value & 0x7fffffffffffffff);
  return id == 0 ? 1 : id;
}

std::string Sha256(std::string_view bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return Hex(digest.data(), digest.size());
}

bool ConstantTimeEqual(std::string_view a, std::string_view b) {
  // Both are hashed first, so that lengths do not show either.
  return CRYPTO_memcmp(Sha256(a).data(), Sha256(b).data(), SHA256_DIGEST_LENGTH * 2) == 0;
}

}  // namespace slipway
