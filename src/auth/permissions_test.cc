#include "auth/permissions.h"

#include <gtest/gtest.h>

#include <vector>

namespace slipway::auth {
namespace {

using enum Permission;
using Kind = Identity::Kind;

/// The callers of the contract's table, and what each may do of a deployment; with and without allowed roles.
TEST(Permissions, EveryCell) {
  struct Caller {
    const char* name;
    Identity who;
    bool roles_set;
    std::set<Permission> allowed;
  };
  const std::set<Permission> everything{kAnyone, kCreate, kList, kSee, kManage, kCallback, kPlatform};
  const std::vector<Caller> callers{
      {"no credentials", {}, true, {kAnyone}},
      {"bearer without role", {Kind::kToken, "u", "u", {"blue"}}, true, {kAnyone, kCreate, kList, kSee, kOwnKeys}},
      {"bearer with role", {Kind::kToken, "u", "u", {"red"}}, true, {kAnyone, kCreate, kList, kSee, kManage, kOwnKeys}},
      {"creator", {Kind::kToken, "creator", "c", {}}, false, {kAnyone, kCreate, kList, kSee, kManage, kOwnKeys}},
      {"admin role",
       {Kind::kToken, "u", "u", {}, true},
       false,
       {kAnyone, kCreate, kList, kSee, kManage, kOwnKeys, kPlatform}},
      {"user PSK, no roles set", {Kind::kUserKey, "creator", "c", {"red"}}, false, {kAnyone, kList}},
      {"user PSK without the role", {Kind::kUserKey, "creator", "c", {"blue"}}, true, {kAnyone, kList}},
      {"user PSK with the role", {Kind::kUserKey, "u", "u", {"red"}}, true, {kAnyone, kList, kSee, kManage}},
      {"platform PSK", {Kind::kPlatform, "platform", "platform", {}, true}, false, everything},
  };
  for (const auto& caller : callers) {
    Guarded deployment{"creator", {}};
    if (caller.roles_set) deployment.allowed_roles = {"red"};
    for (auto permission : {kAnyone, kCreate, kList, kSee, kManage, kOwnKeys, kCallback, kPlatform}) {
      auto refused = caller.who.kind == Kind::kNobody ? Verdict::kUnauthenticated : Verdict::kForbidden;
      EXPECT_EQ(Decide(permission, caller.who, &deployment),
                caller.allowed.contains(permission) ? Verdict::kAllowed : refused)
          << caller.name << ", permission " << static_cast<int>(permission);
    }
  }
}

}  // namespace
}  // namespace slipway::auth
