#pragma once

#include <string>

#include "iceberg/catalog.h"

namespace slipway::iceberg {

/// Deletes every file of a run below the table's location that neither a snapshot nor the metadata log names; the
/// number of files deleted. Only when no attempt of the run can commit any more: the table has the run's id already
/// (an attempt that comes later finds it, or loses its compare-and-swap), or nothing has been able to publish for the
/// run for as long as a commit may take to arrive. `table` is null when there is none.
Result<int> DeleteOrphans(FileIo& io, const std::string& table_location, const Table* table, const std::string& run_id);

}  // namespace slipway::iceberg
