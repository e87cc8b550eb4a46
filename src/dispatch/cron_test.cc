#include "dispatch/cron.h"

#include <gtest/gtest.h>

namespace slipway::dispatch {
namespace {

Timestamp At(std::string_view text) { return ParseTimestamp(text).value(); }

std::string NextOf(std::string_view cron, std::string_view from) { return FormatTimestamp(Cron::Parse(cron).value().Next(At(from))); }

// Expected ticks worked out by hand from the calendar and the rules of crontab(5).
TEST(Cron, NextTick) {
  EXPECT_EQ(NextOf("* * * * *", "2024-01-31T23:59:30Z"), "2024-02-01T00:00:00Z");
  EXPECT_EQ(NextOf("0 6 * * *", "2024-02-28T06:00:00Z"), "2024-02-29T06:00:00Z");
  EXPECT_EQ(NextOf("0 6 * * *", "2024-02-28T05:59:59Z"), "2024-02-28T06:00:00Z");
  EXPECT_EQ(NextOf("*/20 9-17 * * MON-FRI", "2024-06-14T17:40:00Z"), "2024-06-17T09:00:00Z");
  EXPECT_EQ(NextOf("0 0 29 2 *", "2024-03-01T00:00:00Z"), "2028-02-29T00:00:00Z");
  EXPECT_EQ(NextOf("0 0 29 2 *", "2096-03-01T00:00:00Z"), "2104-02-29T00:00:00Z");
  EXPECT_EQ(NextOf("15,45 3-5/2 1 JAN,jul *", "2024-01-01T03:15:00Z"), "2024-01-01T03:45:00Z");
  EXPECT_EQ(NextOf("@weekly", "2024-06-14T00:00:00Z"), "2024-06-16T00:00:00Z");
  EXPECT_EQ(NextOf("0 0 * * 7", "2024-06-14T00:00:00Z"), "2024-06-16T00:00:00Z");
  EXPECT_EQ(NextOf("@yearly", "2024-01-01T00:00:00Z"), "2025-01-01T00:00:00Z");
}

TEST(Cron, EitherDayMatchesUnlessOneIsAStar) {
  // Friday the 14th and the 13th: with both restricted, either counts.
  EXPECT_EQ(NextOf("0 0 13 * FRI", "2024-06-12T00:00:00Z"), "2024-06-13T00:00:00Z");
  EXPECT_EQ(NextOf("0 0 13 * FRI", "2024-06-13T00:00:00Z"), "2024-06-14T00:00:00Z");
  // `*/2` begins with a star: then both must match.
  EXPECT_EQ(NextOf("0 0 */2 * FRI", "2024-06-12T00:00:00Z"), "2024-06-21T00:00:00Z");
}

TEST(Cron, BadExpressionsNameTheField) {
  for (auto [text, words] : {std::pair{"60 * * * *", "minute field has 60"},
                             {"* 24 * * *", "hour field"},
                             {"* * 0 * *", "day of month field"},
                             {"* * * FOO *", "month field has 'FOO'"},
                             {"* * * * 8", "day of week field"},
                             {"* * * *", "five fields"},
                             {"*/0 * * * *", "step"},
                             {"5-1 * * * *", "backwards"},
                             {"0 0 30 2 *", "never comes"},
                             {"", "five fields"},
                             {"@nope", "five fields"},
                             {"1,,2 * * * *", "no value"}}) {
    auto cron = Cron::Parse(text);
    ASSERT_FALSE(cron) << text;
    EXPECT_NE(cron.error().message.find(words), std::string::npos) << cron.error().message;
  }
}

}  // namespace
}  // namespace slipway::dispatch
