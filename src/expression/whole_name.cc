#include "expression/whole_name.h"

#include <algorithm>
#include <cstdint>

namespace slipway::expression {

std::string WholeName(const std::string& name, std::string_view statement, int position) {
  constexpr size_t kMayBeCut = 60;
  if (name.size() < kMayBeCut) return name;
  auto at = std::min(static_cast<size_t>(std::max(0, position)), statement.size());
  auto text = statement.substr(at);
  std::string whole;
  if (text.starts_with('"')) {
    for (size_t i = 1; i < text.size(); ++i) {
      if (text[i] == '"' && !text.substr(i + 1).starts_with('"')) break;
      if (text[i] == '"') ++i;  // a doubled one stands for itself
      whole += text[i];
    }
  } else {
    for (char c : text) {
      const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (static_cast<uint8_t>(c) & 0x80) != 0;
      if (!is_letter && !(c >= '0' && c <= '9') && c != '_' && c != '$') break;
      whole += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  return whole.starts_with(name) ? whole : name;
}

}  // namespace slipway::expression
