#pragma once

#include <string>

#include "model/python/worker.h"

namespace slipway::model {

/// The program that writes down what a model's library alone can read (exported/export.py), for exported_file.h.
PythonProgram Exporter();

/// What tells its files from those of another version of it, and so what was found out about models with them.
std::string ExporterVersion();

}  // namespace slipway::model
