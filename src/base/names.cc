#include "base/names.h"

#include "base/format.h"

namespace slipway {
namespace {

/// The bytes of the UTF-8 character at the front of `text` (RFC 3629, section 4), or 0 where there is none.
size_t CharacterSize(std::string_view text) {
  auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto follows = [&](size_t i, unsigned low = 0x80, unsigned high = 0xBF) { return byte(i) >= low && byte(i) <= high; };
  const auto first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    auto low = first == 0xE0 ? 0xA0u : 0x80u, high = first == 0xED ? 0x9Fu : 0xBFu;  // neither overlong nor surrogates
    return follows(1, low, high) && follows(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    auto low = first == 0xF0 ? 0x90u : 0x80u, high = first == 0xF4 ? 0x8Fu : 0xBFu;
    return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  for (size_t at = 0, size = 0; at < text.size(); at += size) {
    size = CharacterSize(text.substr(at));
    if (size == 0) return false;
  }
  return true;
}

Result<> CheckName(std::string_view what, std::string_view name) {
  if (name.empty()) return Fail(ErrorKind::kInvalid, "the {} has no name", what);
  if (name == "." || name == "..") return Fail(ErrorKind::kInvalid, "'{}' cannot be the name of a {}", name, what);
  for (size_t at = 0, size = 0; at < name.size(); at += size) {
    size = CharacterSize(name.substr(at));
    if (size == 0) return Fail(ErrorKind::kInvalid, "the name of the {} is not UTF-8: see its byte {}", what, at + 1);
    auto c = static_cast<unsigned char>(name[at]);
    if (c == '/' || c == '\\')
      return Fail(ErrorKind::kInvalid, "the name of the {} '{}' holds a '{}'", what, name, name[at]);
    bool control = c < 0x20 || c == 0x7F || (c == 0xC2 && static_cast<unsigned char>(name[at + 1]) < 0xA0);
    if (control)
      return Fail(ErrorKind::kInvalid, "the name of the {} holds a control character: see its byte {}", what, at + 1);
  }
  return {};
}

}  // namespace slipway
