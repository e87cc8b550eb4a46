#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace slipway::expression {

/// PostgreSQL's interval: its three parts are added one after the other.
struct Interval {
  int32_t months = 0;
  int32_t days = 0;
  int64_t micros = 0;
};

/// "3 days", "1 year 2 mons", "-1 week", "12:30:00", "1.5 hours". kInvalid otherwise.
Result<Interval> ParseInterval(std::string_view text);

/// `micros` since 1970 moved by `sign` times the interval; a day that the new month lacks becomes its last.
int64_t AddInterval(int64_t micros, const Interval& interval, int sign);

/// The start of the unit ("year", "quarter", "month", "week", "day", "hour", "minute", "second", …) that holds
/// `micros`. The unit is known to be one of IsTruncUnit.
int64_t Truncate(int64_t micros, std::string_view unit);
bool IsTruncUnit(std::string_view unit);

/// A field of `micros`: "year", "dow", "epoch", …; the unit is known to be one of IsExtractUnit.
double Extract(int64_t micros, std::string_view unit);
bool IsExtractUnit(std::string_view unit);

}  // namespace slipway::expression
