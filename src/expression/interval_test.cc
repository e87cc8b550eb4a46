#include "expression/interval.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"

namespace slipway::expression {
namespace {

using slipway::testing::GoldenCase;

class CalendarGolden : public ::testing::TestWithParam<GoldenCase> {};

/// Instants from the year 1 to 9999, before 1970 too: DuckDB's date_trunc, extract and + INTERVAL.
TEST_P(CalendarGolden, AsInDuckDb) {
  auto call = GetParam().text("call");
  static const auto kInstants = slipway::testing::GoldenCases("expression/instants.json").front();
  const auto& at = kInstants.at(GetParam().find("interval") != nullptr ? "inner" : "all").as_array();
  const auto& want = GetParam().at("want").as_array();
  ASSERT_EQ(at.size(), want.size());
  for (size_t i = 0; i < at.size(); ++i) {
    auto micros = at[i].as_int64();
    if (call.starts_with("extract")) {
      ASSERT_TRUE(IsExtractUnit(GetParam().text("unit")));
      EXPECT_EQ(Extract(micros, GetParam().text("unit")), want[i].to_number<double>()) << "at " << micros;
    } else if (call.starts_with("date_trunc")) {
      ASSERT_TRUE(IsTruncUnit(GetParam().text("unit")));
      EXPECT_EQ(Truncate(micros, GetParam().text("unit")), want[i].as_int64()) << "at " << micros;
    } else {
      auto interval = ParseInterval(GetParam().text("interval"));
      ASSERT_TRUE(interval) << interval.error().message;
      auto sign = static_cast<int>(GetParam().at("sign").as_int64());
      EXPECT_EQ(AddInterval(micros, *interval, sign), want[i].as_int64()) << "at " << micros;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(DuckDb, CalendarGolden,
                         ::testing::ValuesIn(slipway::testing::GoldenCases("expression/calendar.json")),
                         slipway::testing::CaseName);

TEST(ParseInterval, RefusesWhatIsNone) {
  for (const auto* text : {"", " ", "7", "days", "7 fortnights", "1.5 months", "1.5 days", "12:", ":30", "12:30:00:00",
                           "1 day x", "nan days", "inf hours", "1e9 days", "1 day 2", "--1 day", "12:-30"})
    EXPECT_FALSE(ParseInterval(text)) << "'" << text << "'";
}

/// PostgreSQL's centuries start in the years that end in 01; DuckDB's in those that end in 00.
TEST(Truncate, CenturiesStartInTheYearOne) {
  constexpr int64_t kDay = 86'400'000'000;
  EXPECT_EQ(Truncate(10957 * kDay, "century"), -25202 * kDay);      // 2000-01-01: 1901-01-01
  EXPECT_EQ(Truncate(11323 * kDay, "century"), 11323 * kDay);       // 2001-01-01
  EXPECT_EQ(Truncate(11323 * kDay - 1, "century"), -25202 * kDay);  // the microsecond before
}

TEST(Units, WhatIsNoneIsKnown) {
  EXPECT_FALSE(IsTruncUnit("fortnight"));
  EXPECT_FALSE(IsTruncUnit("Day"));
  EXPECT_FALSE(IsTruncUnit(""));
  EXPECT_FALSE(IsExtractUnit("century_of"));
}

}  // namespace
}  // namespace slipway::expression
