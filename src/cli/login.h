#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "cli/commands.h"

namespace slipway::cli {

/// The access token of an earlier `slipway login` at context.server, renewed where it has run out; nothing when there
/// is none.
Result<std::optional<std::string>> StoredToken(const Context& context);

}  // namespace slipway::cli
