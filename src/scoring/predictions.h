#pragma once

#include <arrow/type_fwd.h>

#include <atomic>
#include <memory>

#include "scoring/job.h"
#include "scoring/plan.h"

namespace slipway::scoring {

/// Processor seconds and rows of the filter and score stages, summed over their threads.
struct StageCounts {
  std::atomic<int64_t> read{0}, scored{0}, written{0};
  std::atomic<double> filter_seconds{0}, score_seconds{0}, write_seconds{0};
};

/// Source rows in, prediction rows out: filtered, scored, and laid out as the target has its columns. Thread-safe.
Result<std::shared_ptr<arrow::RecordBatch>> MakePredictions(const Plan& plan, const Job& job,
                                                            const std::shared_ptr<arrow::RecordBatch>& rows,
                                                            StageCounts& counts);

}  // namespace slipway::scoring
