#include "http/proxies.h"

#include <gtest/gtest.h>

namespace slipway::http {
namespace {

std::string Client(const std::string& trusted, const std::string& remote, const std::string& forwarded) {
  return TrustedProxies::Parse(trusted).value().ClientOf(remote, forwarded);
}

TEST(TrustedProxies, OnlyTheyAreBelieved) {
  EXPECT_EQ(Client("", "10.0.0.1", "1.2.3.4"), "10.0.0.1");
  EXPECT_EQ(Client("10.0.0.0/8", "11.0.0.1", "1.2.3.4"), "11.0.0.1");
  EXPECT_EQ(Client("10.0.0.0/8", "10.0.0.1", "1.2.3.4"), "1.2.3.4");
  EXPECT_EQ(Client("10.0.0.1", "10.0.0.2", "1.2.3.4"), "10.0.0.2");
  EXPECT_EQ(Client("10.0.0.0/8", "10.0.0.1", ""), "10.0.0.1");
  EXPECT_EQ(Client("fd00::/8", "fd00::1", "2001:db8::7"), "2001:db8::7");
  EXPECT_EQ(Client("10.0.0.0/8", "::ffff:10.0.0.1", "1.2.3.4"), "1.2.3.4");
}

TEST(TrustedProxies, WhatAClientWritesBeforeThemIsNotBelieved) {
  EXPECT_EQ(Client("10.0.0.0/8", "10.0.0.1", "9.9.9.9, 1.2.3.4"), "1.2.3.4");
  EXPECT_EQ(Client("10.0.0.0/8", "10.0.0.1", "9.9.9.9, 1.2.3.4 , 10.7.7.7"), "1.2.3.4");
  EXPECT_EQ(Client("10.0.0.0/8", "10.0.0.1", "9.9.9.9, <script>"), "10.0.0.1");
  EXPECT_EQ(Client("10.0.0.0/8", "10.0.0.1", "10.0.0.3"), "10.0.0.3");
}

TEST(TrustedProxies, WhatIsNoNetworkIsRefused) {
  for (const auto* wrong : {"proxy", "10.0.0.0/33", "10.0.0.300", "fd00::/200"})
    EXPECT_FALSE(TrustedProxies::Parse(wrong)) << wrong;
}

}  // namespace
}  // namespace slipway::http
