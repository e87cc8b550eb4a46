#include "auth/roles_claim.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace slipway::auth {
namespace {

using Roles = std::set<std::string>;

Roles RolesIn(const std::string& paths, std::string_view claims) {
  auto claim = RolesClaim::Parse(paths, "slipway");
  EXPECT_TRUE(claim) << claim.error().message;
  return claim->RolesIn(ParseJson(claims)->as_object());
}

TEST(RolesClaim, AsIssuersShapeThem) {
  constexpr auto kToken = R"({"realm_access": {"roles": ["a", 7, null, "b"]},
      "resource_access": {"slipway": {"roles": ["scorer"]}, "other": {"roles": ["admin"]}}, "groups": ["risk", ""],
      "roles": "Data Scientists", "https://company.example/roles": ["x"], "a~b": {"c/d": "y"}, "scp": {"roles": 3}})";
  EXPECT_EQ(RolesIn(RolesClaim::kKeycloak, kToken), (Roles{"a", "b", "scorer"}));
  EXPECT_EQ(RolesIn("realm_access.roles", kToken), (Roles{"a", "b"}));
  EXPECT_EQ(RolesIn("groups", kToken), Roles{"risk"});
  EXPECT_EQ(RolesIn("roles", kToken), Roles{"Data Scientists"});  // a text is one role, spaces and all
  EXPECT_EQ(RolesIn("roles  groups", kToken), (Roles{"Data Scientists", "risk"}));
  EXPECT_EQ(RolesIn("/https:~1~1company.example~1roles", kToken), Roles{"x"});
  EXPECT_EQ(RolesIn("/a~0b/c~1d", kToken), Roles{"y"});
  EXPECT_EQ(RolesIn("/resource_access/{client}/roles", kToken), Roles{"scorer"});
  for (const char* none :
       {"absent", "realm_access", "groups.roles", "roles.x.y", "scp.roles", "https://company.example"})
    EXPECT_EQ(RolesIn(none, kToken), Roles{}) << none;
}

TEST(RolesClaim, AClientWithDotsIsOnePart) {
  auto claim = RolesClaim::Parse(RolesClaim::kKeycloak, "my.client");
  EXPECT_EQ(claim->RolesIn(ParseJson(R"({"resource_access": {"my.client": {"roles": ["a"]}}})")->as_object()),
            Roles{"a"});
}

TEST(RolesClaim, PathsThatAreNone) {
  for (const char* wrong : {"", "  ", "a..b", ".a", "a.", "/", "/a//b", "/a~2b", "/a~"}) {
    auto claim = RolesClaim::Parse(wrong, "slipway");
    ASSERT_FALSE(claim) << wrong;
    EXPECT_NE(claim.error().message.find("auth.roles_claim"), std::string::npos);
  }
}

}  // namespace
}  // namespace slipway::auth
