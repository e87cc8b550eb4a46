#pragma once

#include <map>
#include <string>

namespace slipway::cli {

/// The variables of this process whose names start with `prefix`.
std::map<std::string, std::string> Environment(const std::string& prefix);

/// $SLIPWAY_PYTHON, which the wheel's `slipway` sets to its own Python; else python3.
std::string PythonInterpreter();

}  // namespace slipway::cli
