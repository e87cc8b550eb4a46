#pragma once

#include <arrow/type_fwd.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "iceberg/catalog.h"
#include "iceberg/data_file.h"

namespace slipway::iceberg {

/// Leaves out the deleted rows of data files (spec, "Row-level Deletes"). Every reader of a table's rows goes through
/// it: a scan, and a copy of a file, which would bring deleted rows back otherwise. Files of deletes are read when the
/// first data file comes that they apply to.
class LiveRows {
 public:
  /// `table` is kept by reference. `files` will be read, `wanted` columns of them are of interest. kCorrupt: an
  /// equality delete by a column that the table never had.
  static Result<LiveRows> Of(const Table& table, const std::vector<DataFile>& files, std::vector<Field> wanted);

  /// The columns to read: those wanted, and behind them those by which rows were deleted.
  const std::vector<Field>& columns() const { return columns_; }

  /// The next batches are all rows of `file`, in its order. kUnsupported: deletes in another format than Parquet;
  /// kTooLarge: deletes take more memory than iceberg/limits.h allows.
  Result<> Begin(const DataFile& file);

  /// The rows of the file's next batch that were not deleted, with the wanted columns.
  Result<std::shared_ptr<arrow::RecordBatch>> Take(const std::shared_ptr<arrow::RecordBatch>& batch);

 private:
  /// Rows deleted by the same columns within one partition, or anywhere.
  struct ByKey {
    std::vector<int> columns;                         ///< of a batch that is read
    std::unordered_map<std::string, int64_t> newest;  ///< a key's latest delete
    std::set<std::string> read;                       ///< files
  };
  using Positions = std::map<std::string, std::vector<int64_t>>;  ///< by the data file's path

  explicit LiveRows(const Table& table) : table_(&table) {}
  Result<> ReadPositions(const DataFile& deletes);
  Result<ByKey*> ReadKeys(const DataFile& deletes);
  Result<> Hold(size_t bytes);

  const Table* table_;
  size_t wanted_ = 0;
  std::vector<Field> columns_;
  std::map<std::string, Positions> positions_;  ///< by the delete file; those of a data file go when it is begun
  std::map<std::string, ByKey> keys_;           ///< by the columns and the partition
  size_t held_ = 0;                             ///< bytes of both

  // Of the file that is read.
  int64_t sequence_number_ = 0, row_ = 0;
  std::vector<int64_t> deleted_;  ///< positions, in order
  std::vector<const ByKey*> by_key_;
};

}  // namespace slipway::iceberg
