#include "iceberg/locations.h"

#include "base/format.h"
#include "base/ids.h"

namespace slipway::iceberg {

std::string NewDataFileLocation(const Table& table, const std::string& partition_path, const std::string& run_id) {
  return fmt::format("{}/data/{}{}{}-{}.parquet", table.metadata.location, partition_path,
                     partition_path.empty() ? "" : "/", run_id, RandomHex(6));
}

}  // namespace slipway::iceberg
