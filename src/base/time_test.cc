#include "base/time.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"

namespace slipway {
namespace {

using testing::GoldenCase;
using testing::GoldenCases;

class InstantGolden : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(InstantGolden, IsReadAsPythonReadsIt) {
  auto instant = ParseTimestamp(GetParam().text("text"));
  ASSERT_TRUE(instant) << instant.error().message;
  EXPECT_EQ(instant->time_since_epoch().count(), GetParam().at("micros").as_int64());
}

INSTANTIATE_TEST_SUITE_P(Python, InstantGolden, ::testing::ValuesIn(GoldenCases("base/instants.json")),
                         testing::CaseName);

class FormatGolden : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(FormatGolden, IsWrittenAsPythonWritesIt) {
  Timestamp instant{std::chrono::microseconds{GetParam().at("micros").as_int64()}};
  sys_days day{std::chrono::days{GetParam().at("day").as_int64()}};
  EXPECT_EQ(FormatTimestamp(instant), GetParam().text("text"));
  EXPECT_EQ(FormatDate(day), GetParam().text("date"));
  EXPECT_EQ(ParseTimestamp(GetParam().text("text")).value(), instant);
  EXPECT_EQ(ParseDate(GetParam().text("date")).value(), day);
}

INSTANTIATE_TEST_SUITE_P(Python, FormatGolden, ::testing::ValuesIn(GoldenCases("base/formats.json")),
                         testing::CaseName);

TEST(ParseTimestamp, RefusesWhatIsNoInstant) {
  for (const auto* text : {"",
                           "x",
                           "2024",
                           "2024-01",
                           "2024-1-31",
                           "24-01-31",
                           "2024-02-30",
                           "2023-02-29",
                           "2024-13-01",
                           "2024-00-01",
                           "2024-01-00",
                           "2024-01-32",
                           "2024-01-31T",
                           "2024-01-31T24:00:00Z",
                           "2024-01-31T06",
                           "2024-01-31T06:60",
                           "2024-01-31T06:00:60Z",
                           "2024-01-31T06:00:00ZZ",
                           "2024-01-31T06:00:00+",
                           "2024-01-31T06:00:00+1",
                           "2024-01-31T06:00:00+24:00",
                           "2024-01-31T06:00:00+05:60",
                           "2024-01-31X06:00:00Z",
                           "2024-01-31T06:00:00 Z",
                           " 2024-01-31",
                           "2024-01-31 ",
                           "20240131T060000Z",
                           "-2024-01-31",
                           "+2024-01-31",
                           "2024/01/31",
                           "2024-01-31T06:00:00,5Z",
                           "2024-01-31T6:00:00Z",
                           "٢٠٢٤-01-31"}) {
    auto instant = ParseTimestamp(text);
    EXPECT_FALSE(instant) << "'" << text << "' is read as " << FormatTimestamp(*instant);
  }
}

TEST(ParseTimestamp, LowerCaseIsAllowedByRfc3339) {
  EXPECT_EQ(ParseTimestamp("2024-01-31t06:00:00z").value(), ParseTimestamp("2024-01-31T06:00:00Z").value());
}

TEST(ParseDate, RefusesWhatIsNoDay) {
  for (const auto* text :
       {"", "2024-01-31T00:00:00Z", "2024-02-30", "2024-01-31 ", " 2024-01-31", "2024-1-1", "20240131"})
    EXPECT_FALSE(ParseDate(text)) << "'" << text << "'";
}

TEST(ManualClock, StandsWhereItIsPut) {
  ManualClock clock(Timestamp{std::chrono::microseconds{5}});
  EXPECT_EQ(clock.Now().time_since_epoch().count(), 5);
  clock.Set(Timestamp{std::chrono::microseconds{7}});
  EXPECT_EQ(clock.Now().time_since_epoch().count(), 7);
}

}  // namespace
}  // namespace slipway
