#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "iceberg/partition.h"

namespace slipway::iceberg {

/// One file as a manifest describes it (spec, "Data File Fields"): of rows, or of what was deleted of others. Maps are
/// by field id.
struct DataFile {
  enum class Content { kData = 0, kPositionDeletes = 1, kEqualityDeletes = 2 };
  Content content = Content::kData;
  std::string file_path;
  std::string format = "PARQUET";  ///< in capitals
  int spec_id = 0;
  PartitionTuple partition;
  int64_t record_count = 0;
  int64_t file_size_in_bytes = 0;
  std::map<int, int64_t> column_sizes, value_counts, null_value_counts, nan_value_counts;
  std::map<int, std::string> lower_bounds, upper_bounds;  ///< single-value serialized
  std::vector<int64_t> split_offsets;
  std::optional<int> sort_order_id;
  int64_t sequence_number = 0;  ///< of its rows: when they were added, or deleted (spec, "Sequence Numbers")
  std::vector<int> equality_ids;
  std::string referenced_data_file;  ///< of position deletes that are all of one file; empty where that is not told
  /// Of a data file in a scan: the files that may delete rows of it.
  std::vector<std::shared_ptr<const DataFile>> deletes;
};

}  // namespace slipway::iceberg
