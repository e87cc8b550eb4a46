#pragma once

#include <arrow/type_fwd.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "iceberg/catalog.h"
#include "iceberg/data_file_writer.h"

namespace slipway::iceberg {

/// Writes rows into the data files of a table's default partition spec: one open file for each partition, at most
/// `open_files` at once (then the largest is closed), each at most about `file_bytes`.
class PartitionedWriter {
 public:
  PartitionedWriter(const Table& table, std::string run_id, size_t open_files = 32, int64_t file_bytes = 512 << 20);

  /// Rows with the columns of the table's schema, in its order.
  Result<> Write(const std::shared_ptr<arrow::RecordBatch>& batch);

  /// Closes all files.
  Result<std::vector<DataFile>> Finish();

  /// The locations of every file begun so far, finished or not: what a failed run must delete.
  const std::vector<std::string>& locations() const { return locations_; }

 private:
  struct OpenFile {
    PartitionTuple partition;
    std::unique_ptr<DataFileWriter> writer;
  };
  Result<PartitionTuple> PartitionOf(const arrow::RecordBatch& batch, int64_t row) const;
  bool IsOnePartition(const arrow::RecordBatch& batch) const;
  Result<> WriteTo(const PartitionTuple& partition, const arrow::RecordBatch& rows);
  Result<> Close(const std::string& key);

  const Table& table_;
  const PartitionSpec& spec_;
  std::string run_id_;
  size_t open_files_;
  int64_t file_bytes_;
  std::map<std::string, OpenFile> files_;  ///< by the values of their partition
  std::vector<DataFile> finished_;
  std::vector<std::string> locations_;
};

}  // namespace slipway::iceberg
