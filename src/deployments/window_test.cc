#include "deployments/window.h"

#include <gtest/gtest.h>

#include "deployments/cron.h"

namespace slipway::deployments {
namespace {

Timestamp At(std::string_view text) { return ParseTimestamp(text).value(); }

/// "from to", with "by hour" where a target would be partitioned so.
std::string Shown(const Result<scoring::Window>& window) {
  if (!window) return window.error().message;
  return FormatTimestamp(window->from) + " " + FormatTimestamp(window->to) +
         (window->finer_than_a_day ? " by hour" : "");
}
std::string Of(std::optional<std::string> schedule, std::string_view logical_date, const std::string& zone = "UTC") {
  return Shown(WindowOf(schedule, FindTimeZone(zone).value(), At(logical_date)));
}

TEST(Window, IsTheDayOfTheLogicalDate) {
  const auto* day = "2024-03-01T00:00:00Z 2024-03-02T00:00:00Z";
  for (const auto* schedule : {"0 6 * * *", "@daily", "30 23 * * MON", "0 0 1 1 *"})
    for (const auto* at : {"2024-03-01T00:00:00Z", "2024-03-01T06:00:00Z", "2024-03-01T23:59:59.999999Z"})
      EXPECT_EQ(Of(schedule, at), day) << schedule;
  EXPECT_EQ(Of(std::nullopt, "2024-03-01T06:00:00Z"), day) << "manual triggers only";
  EXPECT_EQ(Of("0 6 * * *", "2024-03-01T05:00:00Z", "Europe/Paris"), day) << "the day is UTC's in any zone";
}

TEST(Window, OfAScheduleFinerThanADayIsFromTickToTick) {
  EXPECT_EQ(Of("@hourly", "2024-03-01T10:00:00Z"), "2024-03-01T10:00:00Z 2024-03-01T11:00:00Z by hour");
  EXPECT_EQ(Of("*/15 * * * *", "2024-03-01T10:15:00Z"), "2024-03-01T10:15:00Z 2024-03-01T10:30:00Z by hour");
  EXPECT_EQ(Of("0 6,18 * * *", "2024-03-01T18:00:00Z"), "2024-03-01T18:00:00Z 2024-03-02T06:00:00Z by hour");
  EXPECT_EQ(Of("0 6,18 * * MON", "2024-03-04T18:00:00Z"), "2024-03-04T18:00:00Z 2024-03-11T06:00:00Z by hour");
}

// A trigger by hand, or a schedule that was changed since.
TEST(Window, BetweenTicksIsTheOneThatTheLogicalDateLiesIn) {
  EXPECT_EQ(Of("@hourly", "2024-03-01T10:20:30Z"), "2024-03-01T10:00:00Z 2024-03-01T11:00:00Z by hour");
  EXPECT_EQ(Of("@hourly", "2024-03-01T10:59:59.999999Z"), "2024-03-01T10:00:00Z 2024-03-01T11:00:00Z by hour");
  EXPECT_EQ(Of("0 6,18 * * *", "2024-03-01T05:59:00Z"), "2024-02-29T18:00:00Z 2024-03-01T06:00:00Z by hour");
  EXPECT_EQ(Of("0 6,18 29 2 *", "2026-01-01T00:00:00Z"), "2024-02-29T18:00:00Z 2028-02-29T06:00:00Z by hour");
}

TEST(Window, FollowsTheClocksOfItsZone) {
  // Paris, 31 March 2024: 02:00 is 03:00. 27 October: 03:00 is 02:00 once more.
  EXPECT_EQ(Of("0 */6 * * *", "2024-03-30T23:00:00Z", "Europe/Paris"),
            "2024-03-30T23:00:00Z 2024-03-31T04:00:00Z by hour");
  EXPECT_EQ(Of("0 * * * *", "2024-10-27T00:30:00Z", "Europe/Paris"),
            "2024-10-27T00:00:00Z 2024-10-27T01:00:00Z by hour");
  EXPECT_EQ(Of("0 0,12 * * *", "2024-10-26T22:00:00Z", "Europe/Paris"),
            "2024-10-26T22:00:00Z 2024-10-27T11:00:00Z by hour");
}

// London, 31 March 2024: half past midnight is 00:30 in UTC, and the next one 23:30 of the same day.
TEST(Window, TwoTicksOfOneDayInUtcKeepTheirRows) {
  EXPECT_EQ(Of("30 0 * * *", "2024-03-31T00:30:00Z", "Europe/London"),
            "2024-03-31T00:30:00Z 2024-03-31T23:30:00Z by hour");
  EXPECT_EQ(Of("30 0 * * *", "2024-03-31T23:30:00Z", "Europe/London"),
            "2024-03-31T23:30:00Z 2024-04-01T23:30:00Z by hour");
}

/// Beside the calendar: all ticks of some years, one after the other.
TEST(Cron, FiresTwiceOnSomeDayAsItsTicksDo) {
  for (const auto* zone : {"UTC", "Europe/London", "Europe/Paris", "America/New_York", "Asia/Kolkata",
                           "Australia/Lord_Howe", "Atlantic/Azores", "Pacific/Apia", "America/Santiago"}) {
    for (const auto* text :
         {"0 0 * * *", "30 0 * * *", "30 1 * * *", "30 2 * * *", "0 9 * * *", "45 10 * * *", "30 11 * * *",
          "30 19 * * *", "30 20 * * *", "30 23 * * *", "0 */24 * * *", "30 0 * * MON", "0 0 1 * *"}) {
      auto cron = Cron::Parse(text).value();
      const auto* found = FindTimeZone(zone).value();
      bool twice = false;
      for (auto tick = cron.Next(At("2000-01-01T00:00:00Z"), found); tick < At("2037-01-01T00:00:00Z");) {
        auto next = cron.Next(tick, found);
        twice = twice || std::chrono::floor<std::chrono::days>(tick) == std::chrono::floor<std::chrono::days>(next);
        tick = next;
      }
      EXPECT_EQ(cron.FiresTwiceOnSomeDay(found), twice) << text << " in " << zone;
    }
  }
  EXPECT_TRUE(Cron::Parse("0 6,18 1 1 *")->FiresTwiceOnSomeDay());
}

TEST(Window, OfADeploymentThatADagCarries) {
  auto window = WindowOfCarried(R"({"cron": "0 */6 * * *", "time_zone": "Europe/Paris"})", At("2024-03-30T23:00:00Z"));
  EXPECT_EQ(Shown(window), "2024-03-30T23:00:00Z 2024-03-31T04:00:00Z by hour");
  EXPECT_EQ(Shown(WindowOfCarried(R"({"cron": null})", At("2024-03-30T23:00:00Z"))),
            "2024-03-30T00:00:00Z 2024-03-31T00:00:00Z");
  EXPECT_FALSE(WindowOfCarried(R"({"cron": "no"})", {}));
  EXPECT_FALSE(WindowOfCarried(R"({"cron": "0 * * * *", "time_zone": "Mars/Olympus"})", {}));
  EXPECT_FALSE(WindowOfCarried("[]", {}));
}

TEST(Replaces, IsOneSentence) {
  Deployment d{.model = "m", .name = "d"};
  d.spec.batch.target = {.schema = "ml", .table = "p"};
  d.spec.batch.entity_columns = {"id", "day"};
  d.spec.batch.own_rows = true;
  EXPECT_EQ(ReplacesText(d, nullptr),
            "A run replaces the rows that this deployment wrote to iceberg.ml.p whose scored_at lies on the same day "
            "(UTC) as the run's logical date.");
  d.schedule = "@hourly";
  EXPECT_EQ(ReplacesText(d, FindTimeZone("Europe/Paris").value()),
            "A run replaces the rows that this deployment wrote to iceberg.ml.p whose scored_at lies in the same "
            "interval of the schedule '@hourly' (Europe/Paris), from tick to tick, as the run's logical date.");
  d.spec.batch.own_rows = false;
  d.spec.batch.partition_column = "region";
  EXPECT_EQ(ReplacesText(d, nullptr),
            "A run replaces the rows of iceberg.ml.p, whoever wrote them (it has no column 'deployment'), whose region "
            "is one of those that the run writes.");
  d.spec.batch.own_rows.reset();
  d.spec.batch.rerun_behavior = scoring::RerunBehavior::kAppendDedup;
  EXPECT_EQ(ReplacesText(d, nullptr),
            "A run replaces nothing: it adds the rows whose id, day do not stand yet among the rows that this "
            "deployment wrote to iceberg.ml.p (all rows there, whoever wrote them, if iceberg.ml.p has no column "
            "'deployment') whose region is one of those that the run writes, and leaves the others out.");
}

}  // namespace
}  // namespace slipway::deployments
