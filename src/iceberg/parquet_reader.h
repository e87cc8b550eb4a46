#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <memory>
#include <vector>

#include "base/file_io.h"
#include "iceberg/manifest.h"

namespace slipway::iceberg {

/// One Parquet data file, projected to `columns` by field id (spec, "Column Projection"): a column that the file lacks
/// is its identity partition value or null; int becomes long and float double where the table's type was promoted.
class ParquetReader {
 public:
  virtual ~ParquetReader() = default;
  virtual int row_groups() const = 0;

  /// Batches of at most `batch_rows` rows of one row group, in file order; null at its end.
  using BatchSource = std::function<Result<std::shared_ptr<arrow::RecordBatch>>()>;
  /// From a remote file the wanted columns are asked for at once, in few requests; this reader may then have no other
  /// row group open.
  virtual Result<BatchSource> ReadRowGroup(int row_group, int64_t batch_rows) = 0;

  /// Another one of the same file, of some of its columns, without reading its footer again: for another thread, or for
  /// fetching a row group while one is decoded. Called from several threads at once.
  virtual Result<std::unique_ptr<ParquetReader>> Again(std::vector<Field> columns) const = 0;

  /// kCorrupt with the file's name and the reason for a damaged file; kUnsupported for one without field ids.
  static Result<std::unique_ptr<ParquetReader>> Open(FileIo& io, const DataFile& file, const PartitionSpec& spec,
                                                     std::vector<Field> columns);
};

}  // namespace slipway::iceberg
