#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <memory>

#include "base/error.h"

namespace slipway::scoring {

using Batch = std::shared_ptr<arrow::RecordBatch>;

/// Source → stage → sink over batches, overlapped: the source runs on one thread, the stage on `workers`, the sink on
/// the caller's. The sink sees the batches in the source's order. At most `window` batches are on their way, so memory
/// is bounded.
struct Pipeline {
  std::function<Result<Batch>()> source;             ///< null at the end
  std::function<Result<Batch>(const Batch&)> stage;  ///< called from several threads at once
  std::function<Result<>(const Batch&)> sink;
  int workers = 2;
  int window = 6;

  /// Runs to the end, or to the first error in the source's order; all threads have ended when it returns.
  Result<> Run() const;
};

}  // namespace slipway::scoring
