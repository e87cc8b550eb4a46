#include "deployments/cron.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/value_to.hpp>

#include "base/testing/golden.h"

namespace slipway::deployments {
namespace {

Timestamp At(std::string_view text) { return ParseTimestamp(text).value(); }

std::string NextOf(std::string_view cron, std::string_view from) {
  return FormatTimestamp(Cron::Parse(cron).value().Next(At(from)));
}

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
                             {"1,,2 * * * *", "not a value"}}) {
    auto cron = Cron::Parse(text);
    ASSERT_FALSE(cron) << text;
    EXPECT_NE(cron.error().message.find(words), std::string::npos) << cron.error().message;
  }
}

std::vector<std::string> Ticks(std::string_view cron, const std::string& zone, std::string_view from, int count) {
  auto parsed = Cron::Parse(cron).value();
  const auto* found = FindTimeZone(zone).value();
  std::vector<std::string> ticks;
  for (auto t = ParseTimestamp(from).value(); count > 0; --count)
    ticks.push_back(FormatTimestamp(t = parsed.Next(t, found)));
  return ticks;
}

class CronGolden : public ::testing::TestWithParam<testing::GoldenCase> {};

/// In UTC beside croniter; in time zones whose clocks change beside a clock that is watched minute by minute.
TEST_P(CronGolden, TicksAreTheOthers) {
  const auto* zone = GetParam().find("zone");
  auto want = json::value_to<std::vector<std::string>>(GetParam().at("ticks"));
  auto got = Ticks(GetParam().text("cron"), zone == nullptr ? "UTC" : std::string(zone->as_string()),
                   GetParam().text("from"), static_cast<int>(want.size()));
  EXPECT_EQ(got, want);
}

INSTANTIATE_TEST_SUITE_P(Croniter, CronGolden, ::testing::ValuesIn(testing::GoldenCases("deployments/cron_utc.json")),
                         testing::CaseName);
INSTANTIATE_TEST_SUITE_P(MinuteByMinute, CronGolden,
                         ::testing::ValuesIn(testing::GoldenCases("deployments/cron_zones.json")), testing::CaseName);

using ::testing::ElementsAre;

// Paris, 2024: on 31 March the clock goes from 02:00 to 03:00 (01:00 UTC), on 27 October from 03:00 to 02:00 (01:00
// UTC).
TEST(CronTimeZone, ATickThatTheClockSkipsComesAsSoonAsItHas) {
  EXPECT_THAT(
      Ticks("30 2 * * *", "Europe/Paris", "2024-03-29T12:00:00Z", 4),
      ElementsAre("2024-03-30T01:30:00Z", "2024-03-31T01:00:00Z", "2024-04-01T00:30:00Z", "2024-04-02T00:30:00Z"));
}

TEST(CronTimeZone, ATickThatTheClockShowsTwiceComesOnce) {
  EXPECT_THAT(Ticks("30 2 * * *", "Europe/Paris", "2024-10-25T12:00:00Z", 3),
              ElementsAre("2024-10-26T00:30:00Z", "2024-10-27T00:30:00Z", "2024-10-28T01:30:00Z"));
  EXPECT_THAT(Ticks("15,45 2 * * *", "Europe/Paris", "2024-10-27T00:20:00Z", 2),
              ElementsAre("2024-10-27T00:45:00Z", "2024-10-28T01:15:00Z"));
  EXPECT_THAT(Ticks("30 2 * * *", "Europe/Paris", "2024-10-27T01:10:00Z", 1), ElementsAre("2024-10-28T01:30:00Z"));
}

TEST(CronTimeZone, EveryHourFollowsTheTimeThatPasses) {
  EXPECT_THAT(
      Ticks("0 * * * *", "Europe/Paris", "2024-03-30T23:30:00Z", 4),
      ElementsAre("2024-03-31T00:00:00Z", "2024-03-31T01:00:00Z", "2024-03-31T02:00:00Z", "2024-03-31T03:00:00Z"));
  EXPECT_THAT(
      Ticks("30 * * * *", "Europe/Paris", "2024-10-26T23:00:00Z", 4),
      ElementsAre("2024-10-26T23:30:00Z", "2024-10-27T00:30:00Z", "2024-10-27T01:30:00Z", "2024-10-27T02:30:00Z"));
  EXPECT_THAT(Ticks("*/30 * * * *", "Australia/Lord_Howe", "2024-04-06T14:10:00Z", 3),
              ElementsAre("2024-04-06T14:30:00Z", "2024-04-06T15:00:00Z", "2024-04-06T15:30:00Z"));
}

TEST(CronTimeZone, AZoneWithoutChangesAndAnUnknownOne) {
  EXPECT_THAT(Ticks("0 6 * * *", "Asia/Kolkata", "2024-01-01T00:00:00Z", 2),
              ElementsAre("2024-01-01T00:30:00Z", "2024-01-02T00:30:00Z"));
  EXPECT_FALSE(FindTimeZone("Mars/Olympus"));
}

}  // namespace
}  // namespace slipway::deployments
