#pragma once

#include <string>
#include <string_view>

namespace slipway::expression {

/// The name that stands at `position` of a statement, where the parser read `name`: PostgreSQL cuts names to 63 bytes
/// (to less, where a character would be halved), columns have longer ones.
std::string WholeName(const std::string& name, std::string_view statement, int position);

}  // namespace slipway::expression
