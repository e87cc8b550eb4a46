#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <vector>

#include "iceberg/scan.h"

namespace slipway::iceberg {

struct ScanOptions {
  int threads = 1;             ///< decoders; two share a file, each with its part of the columns
  int64_t batch_rows = 65536;  ///< rows of a batch at most
  int batches_ahead = 2;       ///< batches that each decoder may have waiting
};

/// The rows of a plan that were not deleted, as batches in the order of its files, decoded ahead in parallel. Memory is
/// bounded by threads * batches_ahead batches, whatever the table's size.
class ScanReader {
 public:
  /// `columns` are read by field id. Files are opened as they are reached. The errors of LiveRows::Of.
  static Result<std::unique_ptr<ScanReader>> Start(const Table& table, const ScanPlan& plan, std::vector<Field> columns,
                                                   const ScanOptions& options);
  ~ScanReader();  ///< stops the decoders

  /// The next batch; null at the end. The first error in file order, named with its file.
  Result<std::shared_ptr<arrow::RecordBatch>> Next();

  /// Processor seconds of the decoders so far.
  double cpu_seconds() const;

 private:
  struct State;
  explicit ScanReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace slipway::iceberg
