#pragma once

#include <string_view>

#include "base/error.h"

namespace slipway {

/// Checks a name that people give and that becomes part of a location: of a catalog, schema, table or model. kInvalid
/// for one that is empty, "." or "..", or holds a slash, a backslash, a control character (NUL among them), or bytes
/// that are not UTF-8; the message says which and where. `what` is the noun of the message: "schema".
Result<> CheckName(std::string_view what, std::string_view name);

/// Whether `text` is UTF-8 (RFC 3629).
bool IsUtf8(std::string_view text);

}  // namespace slipway
