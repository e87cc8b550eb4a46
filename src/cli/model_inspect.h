#pragma once

#include <string>

#include "base/error.h"
#include "cli/commands.h"

namespace slipway::cli {

/// Prints what a model is (flavor, size, signature) and which engine scores it, and why. `named` as of FindModel.
Result<> InspectModel(const Context& context, const std::string& named);

}  // namespace slipway::cli
