#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>

#include "base/file_io.h"
#include "iceberg/manifest.h"

namespace slipway::iceberg {

/// Writes one Parquet data file of a table: zstd, field ids, statistics for every column.
class DataFileWriter {
 public:
  virtual ~DataFileWriter() = default;

  /// Appends rows with the fields given to Open, in their order; a column may be a dictionary, then in all batches. kIo
  /// with the file's name when the disk is full.
  virtual Result<> Write(const arrow::RecordBatch& batch) = 0;

  /// Bytes written so far, roughly.
  virtual int64_t bytes() const = 0;

  /// Closes and syncs the file and tells what a manifest needs; the partition is the caller's to fill in.
  virtual Result<DataFile> Finish() = 0;

  /// Creates the file, with its folders. `fields` in the order of the batches' columns.
  static Result<std::unique_ptr<DataFileWriter>> Open(FileIo& io, const std::string& location,
                                                      std::vector<Field> fields);
};

}  // namespace slipway::iceberg
