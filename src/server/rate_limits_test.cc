#include "server/rate_limits.h"

#include <gtest/gtest.h>

namespace slipway::server {
namespace {

TEST(RateLimits, EachPersonHasTheirOwn) {
  RateLimits limits(60);  // one a second, ten at once
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(limits.Admit("ana", 100));
  EXPECT_FALSE(limits.Admit("ana", 100.5));
  EXPECT_TRUE(limits.Admit("bob", 100.5));
  EXPECT_TRUE(limits.Admit("ana", 101.1));
  EXPECT_FALSE(limits.Admit("ana", 101.2));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(limits.Admit("ana", 200));
  EXPECT_FALSE(limits.Admit("ana", 200));
}

TEST(RateLimits, ZeroIsNone) {
  RateLimits limits(0);
  for (int i = 0; i < 100'000; ++i) ASSERT_TRUE(limits.Admit("ana", 0));
}

}  // namespace
}  // namespace slipway::server
