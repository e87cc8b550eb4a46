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
  const std::set<Permission> everything{kAnyone, kCreate, kList,     kSee,      kManage,
                                        kInvoke, kGovern, kCallback, kPlatform, kExplain};
  const std::set<Permission> person{kAnyone, kCreate, kList, kSee, kManage, kInvoke, kGovern, kOwnKeys, kExplain};
  auto admin = person;
  admin.insert(kPlatform);
  auto machine = [](std::set<std::string> roles, std::set<std::string> scopes) {
    return Identity{
        Kind::kServiceKey, "service-account:ci", "ci", std::move(roles), false, KeyScope{std::move(scopes), {}}, {}};
  };
  const std::set<std::string> all{"deployments:read", "deployments:write", "runs:trigger", "runs:report"};
  auto run_of = [](const char* deployment) {
    return Identity{Kind::kRunToken, "run:r", "", {}, false, {}, RunGrant{deployment, "r"}};
  };
  const std::vector<Caller> callers{
      {"no credentials", {}, true, {kAnyone}},
      {"bearer without role",
       {Kind::kToken, "u", "u", {"blue"}},
       true,
       {kAnyone, kCreate, kList, kSee, kOwnKeys, kExplain}},
      {"bearer with role", {Kind::kToken, "u", "u", {"red"}}, true, person},
      {"creator", {Kind::kToken, "creator", "c", {}}, false, person},
      {"admin role", {Kind::kToken, "u", "u", {}, true}, false, admin},
      {"user PSK, no roles set", {Kind::kUserKey, "creator", "c", {"red"}}, false, {kAnyone, kList, kExplain}},
      {"user PSK without the role", {Kind::kUserKey, "creator", "c", {"blue"}}, true, {kAnyone, kList, kExplain}},
      {"user PSK with the role",
       {Kind::kUserKey, "u", "u", {"red"}},
       true,
       {kAnyone, kList, kSee, kManage, kInvoke, kExplain}},
      {"called as the creator, of another kind",
       {Kind::kToken, "platform", "p", {}},
       false,
       {kAnyone, kCreate, kList, kSee, kOwnKeys, kExplain}},
      {"platform PSK", {Kind::kPlatform, "platform", "platform", {}, true}, false, everything},
      {"service key without a scope", machine({"red"}, {}), true, {kAnyone}},
      {"service key of all scopes, without the role",
       machine({"blue"}, all),
       true,
       {kAnyone, kCreate, kList, kSee, kCallback, kExplain}},
      {"service key of all scopes, with the role",
       machine({"red"}, all),
       true,
       {kAnyone, kCreate, kList, kSee, kManage, kInvoke, kCallback, kExplain}},
      {"service key that reads", machine({"red"}, {"deployments:read"}), true, {kAnyone, kList, kSee, kExplain}},
      {"service key that writes", machine({"red"}, {"deployments:write"}), true, {kAnyone, kCreate, kManage}},
      {"service key that triggers", machine({"red"}, {"runs:trigger"}), true, {kAnyone, kInvoke}},
      {"service key that reports", machine({}, {"runs:report"}), true, {kAnyone, kCallback}},
      {"run token of this deployment", run_of("this"), true, {kAnyone, kCallback}},
      {"run token of another deployment", run_of("another"), true, {kAnyone}},
  };
  for (const auto& caller : callers) {
    bool by_platform = caller.who.subject == "platform";
    Guarded deployment{
        by_platform ? Subject{SubjectKind::kPlatform, "platform"} : Subject{SubjectKind::kPerson, "creator"},
        {},
        "this"};
    if (caller.roles_set) deployment.allowed_roles = {"red"};
    for (auto permission :
         {kAnyone, kCreate, kList, kSee, kManage, kInvoke, kGovern, kOwnKeys, kCallback, kPlatform, kExplain}) {
      auto refused = caller.who.kind == Kind::kNobody ? Verdict::kUnauthenticated : Verdict::kForbidden;
      EXPECT_EQ(Decide(permission, caller.who, &deployment),
                caller.allowed.contains(permission) ? Verdict::kAllowed : refused)
          << caller.name << ", permission " << static_cast<int>(permission);
    }
  }
}

TEST(Permissions, AKeyHearsWhyItDoesNotGovern) {
  Identity key{Kind::kUserKey, "u", "u", {"red"}};
  EXPECT_NE(WhyForbidden(kGovern, key).find("never changes allowed_roles"), std::string::npos);
  key.kind = Kind::kServiceKey;
  key.scope = KeyScope{{"deployments:read"}, {}};
  EXPECT_NE(WhyForbidden(kGovern, key).find("never changes allowed_roles"), std::string::npos);
  EXPECT_NE(WhyForbidden(kInvoke, key).find("'runs:trigger'"), std::string::npos);
  EXPECT_EQ(WhyForbidden(kPlatform, key), "this service_key may not do that here");
}

TEST(Identity, AScopeNamesModelsOrReachesAll) {
  Identity who;
  EXPECT_TRUE(who.Covers("churn"));
  who.scope = KeyScope{};
  EXPECT_TRUE(who.Covers("churn"));
  who.scope->models = {"churn"};
  EXPECT_TRUE(who.Covers("churn"));
  EXPECT_FALSE(who.Covers("churn2"));
  who.scope->models->clear();
  EXPECT_FALSE(who.Covers("churn"));
}

}  // namespace
}  // namespace slipway::auth
