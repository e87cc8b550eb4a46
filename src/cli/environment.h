#pragma once

#include <map>
#include <string>

namespace slipway::cli {

/// The variables of this process whose names start with `prefix`.
std::map<std::string, std::string> Environment(const std::string& prefix);

}  // namespace slipway::cli
