#pragma once

#include <arrow/type_fwd.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "iceberg/catalog.h"
#include "iceberg/data_file_writer.h"
#include "iceberg/spill.h"

namespace slipway::iceberg {

/// Writes rows into the data files of a table's default partition spec: one file for each partition (more where they
/// reach `file_bytes`), however the rows come. The first `open_files` partitions are written as they come; the rows of
/// others wait until the end, by partition: in memory up to `waiting_bytes`, then on disk.
class PartitionedWriter {
 public:
  struct Limits {
    size_t open_files = 32;
    int64_t file_bytes = 512 << 20, waiting_bytes = 128 << 20;
  };
  PartitionedWriter(const Table& table, std::string run_id, const Limits& limits);
  PartitionedWriter(const Table& table, std::string run_id) : PartitionedWriter(table, std::move(run_id), Limits()) {}

  /// Rows with the columns of the table's schema, in its order.
  Result<> Write(const std::shared_ptr<arrow::RecordBatch>& batch);

  /// Writes what waits, and closes all files.
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
  struct Waiting {
    PartitionTuple partition;
    std::vector<std::shared_ptr<arrow::RecordBatch>> rows;
    std::vector<Spill::Range> spilled;  ///< before them
  };
  Result<> WriteTo(const PartitionTuple& partition, const arrow::RecordBatch& rows);
  Result<> WriteToFile(const std::string& key, const PartitionTuple& partition, const arrow::RecordBatch& rows);
  Result<> Wait(const std::string& key, const PartitionTuple& partition, const arrow::RecordBatch& rows);
  Result<> SpillWaiting();
  Result<> WriteWaiting(const std::string& key, Waiting& waiting);
  Result<> Close(const std::string& key);

  const Table& table_;
  const PartitionSpec& spec_;
  std::string run_id_;
  Limits limits_;
  std::map<std::string, OpenFile> files_;   ///< by the values of their partition
  std::map<std::string, Waiting> waiting_;  ///< likewise
  int64_t waiting_bytes_ = 0;
  Spill spill_;
  std::vector<DataFile> finished_;
  std::vector<std::string> locations_;
};

}  // namespace slipway::iceberg
