#pragma once

#include <boost/json/value.hpp>
#include <expected>
#include <string>
#include <string_view>

namespace slipway::contract {

/// Where and why a body is not JSON, in the words of the reference stack (Python's json module).
struct JsonTextError {
  size_t position = 0;  ///< in code points
  std::string message;
};

/// Reads a body as the reference does: NaN and Infinity are numbers, the last of repeated keys counts, integers beyond
/// 64 bits become doubles. Nesting is limited to 100, and a body to 100,000 values; U+0000 is refused.
std::expected<boost::json::value, JsonTextError> ParseJsonText(std::string_view text);

}  // namespace slipway::contract
