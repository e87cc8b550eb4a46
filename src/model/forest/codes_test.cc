#include "model/forest/codes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace slipway::model {
namespace {

TEST(Codes, NumbersAreKnownByTheirText) {
  Codes codes;
  codes.other = -1;
  double next = 0;
  for (const char* category :
       {"7", "-3", "0", "2.5", "true", "007", "1e+20", "18446744073709551615", "9223372036854775807"})
    EXPECT_TRUE(codes.Add(category, next++));
  EXPECT_FALSE(codes.Add("7", 99));
  EXPECT_EQ(codes.size(), 9);
  EXPECT_EQ(codes.OfNumber(int64_t{7}), 0);
  EXPECT_EQ(codes.OfNumber(7.0), 0);
  EXPECT_EQ(codes.OfText("7"), 0);
  EXPECT_EQ(codes.OfText("7.0"), -1);
  EXPECT_EQ(codes.OfNumber(-3.0), 1);
  EXPECT_EQ(codes.OfNumber(-0.0), 2);
  EXPECT_EQ(codes.OfNumber(2.5), 3);
  EXPECT_EQ(codes.OfNumber(1.0), -1);
  EXPECT_EQ(codes.OfText("007"), 5);
  EXPECT_EQ(codes.OfNumber(1e20), 6);
  EXPECT_EQ(codes.OfText("18446744073709551615"), 7);
  EXPECT_EQ(codes.OfNumber(std::numeric_limits<int64_t>::max()), 8);
  EXPECT_EQ(codes.OfNumber(std::numeric_limits<double>::infinity()), -1);
  EXPECT_TRUE(std::isnan(codes.OfNumber(std::nan(""))));
}

}  // namespace
}  // namespace slipway::model
