#pragma once

#include <map>
#include <string>

#include "cli/commands.h"
#include "model/python/python_engine.h"

namespace slipway::cli {

/// The variables of this process whose names start with `prefix`.
std::map<std::string, std::string> Environment(const std::string& prefix);

/// The Python engine of commands that look at models: this machine's interpreter, and the data directory's cache.
model::PythonEngine EngineOf(const Context& context);

/// $SLIPWAY_PYTHON, which the wheel's `slipway` sets to its own Python; else python3.
std::string PythonInterpreter();

}  // namespace slipway::cli
