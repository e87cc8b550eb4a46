#pragma once

#include <optional>
#include <string>

#include "iceberg/catalog.h"
#include "iceberg/manifest.h"
#include "iceberg/predicate.h"

namespace slipway::iceberg {

/// Copies a data file without the rows that match `removed` (copy on write), under the same partition and spec. No file
/// comes back when no row is left. kUnsupported: the table has nested columns, which cannot be copied yet.
Result<std::optional<DataFile>> RewriteWithout(const Table& table, const DataFile& file, const Predicate& removed,
                                               const std::string& run_id);

}  // namespace slipway::iceberg
