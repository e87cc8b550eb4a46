#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"

namespace date {
class time_zone;
}

namespace slipway::deployments {

/// The IANA time zone `name` ("Europe/Paris"); null for UTC. kInvalid: no such zone.
Result<const date::time_zone*> FindTimeZone(const std::string& name);

/// When a day begins in a time zone (null: UTC); where clocks are put forward at midnight, when they have been.
Timestamp StartOfDay(sys_days day, const date::time_zone* zone = nullptr);

/// A cron expression of five fields (minute hour day-of-month month day-of-week), as Vixie cron reads it: `*`, lists,
/// ranges, steps, names (JAN, MON; 0 and 7 are Sunday), and @hourly, @daily, @midnight, @weekly, @monthly, @yearly,
/// @annually. A day matches when day-of-month or day-of-week does, unless one of them starts with `*`: then both must.
class Cron {
 public:
  /// kInvalid names the field and what is wrong with it; also an expression that no date ever meets (30 February).
  static Result<Cron> Parse(std::string_view text);

  /// The first tick after `t`, in a time zone (null: UTC). When clocks change, a tick at fixed hours comes exactly
  /// once: one that the clock skips comes as soon as it has, one that it shows twice comes the first time. Where the
  /// hour is `*` or `*/n`, ticks follow the time that really passes. That is how Vixie cron has it.
  Timestamp Next(Timestamp t, const date::time_zone* zone = nullptr) const;

  /// The last tick that is not after `t`; `t` itself where there was none for decades.
  Timestamp Last(Timestamp t, const date::time_zone* zone = nullptr) const;

  /// Whether two ticks may lie on one day, of the clock on the wall or in UTC: 00:30 in London comes at 00:30 and at
  /// 23:30 of one day in UTC when clocks are put forward. Of zones, what happened between 2000 and 2037 counts.
  bool FiresTwiceOnSomeDay(const date::time_zone* zone = nullptr) const;

 private:
  bool DayMatches(std::chrono::year_month_day day) const;
  std::optional<Timestamp> Find(Timestamp t) const;
  Timestamp NextAtFixedHours(Timestamp t, const date::time_zone& zone) const;
  Timestamp NextInPassingTime(Timestamp t, const date::time_zone& zone) const;
  uint64_t minutes_ = 0, hours_ = 0, days_ = 0, months_ = 0, weekdays_ = 0;  ///< bit n: the value n
  bool both_days_ = false, every_hour_ = false;
};

}  // namespace slipway::deployments
