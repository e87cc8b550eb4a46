#include "base/url.h"

#include "base/format.h"

namespace slipway {

std::string UrlEncode(std::string_view text) {
  std::string encoded;
  for (unsigned char c : text) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~')
      encoded += static_cast<char>(c);
    else
      encoded += fmt::format("%{:02X}", c);
  }
  return encoded;
}

}  // namespace slipway
