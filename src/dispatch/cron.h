#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/time.h"

namespace slipway::dispatch {

/// A cron expression of five fields (minute hour day-of-month month day-of-week) in UTC, as Vixie cron reads it: `*`, lists,
/// ranges, steps, names (JAN, MON; 0 and 7 are Sunday), and @hourly, @daily, @midnight, @weekly, @monthly, @yearly,
/// @annually. A day matches when day-of-month or day-of-week does, unless one of them starts with `*`: then both must.
class Cron {
 public:
  /// kInvalid names the field and what is wrong with it; also an expression that no date ever meets (30 February).
  static Result<Cron> Parse(std::string_view text);

  /// The first tick after `t`.
  Timestamp Next(Timestamp t) const;

 private:
  bool DayMatches(std::chrono::year_month_day day) const;
  std::optional<Timestamp> Find(Timestamp t) const;
  uint64_t minutes_ = 0, hours_ = 0, days_ = 0, months_ = 0, weekdays_ = 0;  ///< bit n: the value n
  bool both_days_ = false;
};

}  // namespace slipway::dispatch
