#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.h"

namespace slipway {

/// An instant in UTC, in microseconds since 1970: what Iceberg's timestamptz holds.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

/// Days since 1970: what Iceberg's date and its day transform hold.
using std::chrono::sys_days;

/// RFC 3339 in UTC with `Z`; the fraction only where there is one: 2024-01-31T06:00:00Z, 2024-01-31T06:00:00.250000Z.
std::string FormatTimestamp(Timestamp t);

/// 2024-01-31, for an instant or a day.
std::string FormatDate(sys_days day);

/// An RFC 3339 date-time with any offset, `Z` or none (then UTC), `T` or a space; kInvalid otherwise.
Result<Timestamp> ParseTimestamp(std::string_view text);

/// 2024-01-31; kInvalid otherwise, also for a day that no month has.
Result<sys_days> ParseDate(std::string_view text);

/// The clock as a value that tests replace; nothing outside base/ asks the system for the time.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp Now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Timestamp Now() const override;
};

/// A clock that stands where a test puts it.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp now) : now_(now) {}
  Timestamp Now() const override { return now_; }
  void Set(Timestamp now) { now_ = now; }

 private:
  Timestamp now_;
};

/// Seconds that the calling thread has spent on a processor: what a stage of a run costs, whoever else is busy.
double ThreadCpuSeconds();

/// Seconds on a clock that never goes back, for durations.
double MonotonicSeconds();

}  // namespace slipway
