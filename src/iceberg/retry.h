#pragma once

#include <functional>

#include "iceberg/metadata.h"

namespace slipway::iceberg {

/// How often and how long a commit that met conflicts is tried again, by the table's properties as Iceberg names them:
/// `commit.retry.total-timeout-ms` (30 minutes) bounds it; the pauses grow from `commit.retry.min-wait-ms` (100) to
/// `commit.retry.max-wait-ms` (one minute), each shortened at random by up to a half. `commit.retry.num-retries` counts
/// only where the table sets it: the time is the bound, so that a run beside a busy writer gets its turn.
struct RetryPolicy {
  int64_t retries = INT64_MAX;
  int64_t min_wait_ms = 100, max_wait_ms = 60'000, total_timeout_ms = 1'800'000;

  /// A property that is not a number, or below zero, counts as not set.
  static RetryPolicy Of(const TableMetadata& metadata);

  /// The longest pause before try `number` (2 is the first repetition).
  int64_t WaitMs(int number) const;
};

/// Pauses before another try, shortened at random; in small steps, before each of which `go_on` is asked: its error
/// ends the pause and comes back.
Result<> Pause(int64_t wait_ms, const std::function<Result<>()>& go_on);

}  // namespace slipway::iceberg
