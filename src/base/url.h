#pragma once

#include <string>
#include <string_view>

namespace slipway {

/// Percent-encodes all but RFC 3986's unreserved characters: safe as a path segment, a query value or a form value.
std::string UrlEncode(std::string_view text);

}  // namespace slipway
