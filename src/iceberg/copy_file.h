#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "iceberg/catalog.h"
#include "iceberg/manifest.h"
#include "iceberg/predicate.h"

namespace slipway::iceberg {

/// Chooses the rows of a batch that go into a copy.
using RowFilter =
    std::function<Result<std::shared_ptr<arrow::RecordBatch>>(const std::shared_ptr<arrow::RecordBatch>&)>;

/// Copies the live rows of a data file of a table through a row filter (copy on write), under the same partition and
/// spec, into a new file of the run. Nothing comes back when no row is left; then, and after an error, no file is
/// there. kUnsupported: the table has nested columns, which cannot be copied yet.
Result<std::optional<DataFile>> CopyFile(const Table& table, const DataFile& file, const std::string& run_id,
                                         const RowFilter& keep);

/// A copy without the rows that match `removed`.
Result<std::optional<DataFile>> CopyWithout(const Table& table, const DataFile& file, const Predicate& removed,
                                            const std::string& run_id);

}  // namespace slipway::iceberg
