#pragma once

#include <string>

#include "iceberg/catalog.h"

namespace slipway::iceberg {

/// The location for a file of a run: `<table>/data/<partition>/<run id>-<random>.parquet`. Names carry the run id, so
/// that what a killed attempt leaves behind can be found; two attempts of one run never share a name.
std::string NewDataFileLocation(const Table& table, const std::string& partition_path, const std::string& run_id);

}  // namespace slipway::iceberg
