#include "auth/service_accounts.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "auth/migrations.h"
#include "base/ids.h"
#include "database/schema.h"

namespace slipway::auth {
namespace {

namespace fs = std::filesystem;

class Accounts : public ::testing::Test {
 protected:
  ~Accounts() override {
    database_.reset();
    for (const auto* suffix : {"", "-wal", "-shm"}) fs::remove(path_.string() + suffix);
  }
  std::string NewKey(const std::string& name, KeyScope scope) {
    return keys_.Create({.id = NewUuid(), .subject = "service-account:" + name, .description = "x", .scope = scope})
        .value()
        .second;
  }

  fs::path path_ = fs::temp_directory_path() / ("slipway-service-accounts-" + NewUuid());
  std::unique_ptr<Database> database_ = Database::Open(path_.string(), AllOf(Migrations())).value();
  ManualClock clock_{ParseTimestamp("2026-01-31T06:00:00Z").value()};
  UserKeys keys_{*database_, clock_, {}};
  ServiceAccounts accounts_{*database_};
  const ServiceAccount nightly_{"nightly", "starts runs", {"risk", "ops"}, "admin", clock_.Now()};
};

TEST_F(Accounts, AKeySaysWhoseItIsAndWhatItReaches) {
  ASSERT_TRUE(accounts_.Create(nightly_));
  for (const KeyScope& scope :
       {KeyScope{{"runs:trigger"}, std::set<std::string>{"churn", "é"}},
        KeyScope{{"runs:trigger", "deployments:read"}, {}}, KeyScope{{"runs:report"}, std::set<std::string>{}}}) {
    auto owner = keys_.FindOwner(NewKey("nightly", scope)).value().value();
    EXPECT_EQ(owner.person.subject, "service-account:nightly");
    EXPECT_EQ(owner.person.roles, nightly_.roles);
    EXPECT_EQ(owner.scope, scope);
  }
  EXPECT_EQ(keys_.List("service-account:nightly")->size(), 3u);
}

TEST_F(Accounts, AreListedByNameUntilTheyAreRemoved) {
  for (const auto* name : {"b", "c", "a"}) {
    auto account = nightly_;
    account.name = name;
    ASSERT_TRUE(accounts_.Create(account));
  }
  auto names = [&] {
    std::string all;
    auto list = accounts_.List().value();
    for (const auto& account : list) all += account.name;
    return all;
  };
  EXPECT_EQ(names(), "abc");
  EXPECT_EQ(accounts_.Find("b")->roles, nightly_.roles);
  ASSERT_TRUE(accounts_.Remove("b", clock_.Now()));
  EXPECT_EQ(names(), "ac");
  EXPECT_EQ(accounts_.Find("b").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(accounts_.Remove("b", clock_.Now()).error().kind, ErrorKind::kNotFound);
}

TEST_F(Accounts, KeysOfARemovedOneAreNobodys) {
  ASSERT_TRUE(accounts_.Create(nightly_));
  auto before = NewKey("nightly", {{"runs:trigger"}, {}});
  ASSERT_TRUE(accounts_.Remove("nightly", clock_.Now()));
  auto after = NewKey("nightly", {{"runs:trigger"}, {}});  // made by a request that was under way
  EXPECT_FALSE(keys_.FindOwner(before).value());
  EXPECT_FALSE(keys_.FindOwner(after).value());
}

TEST_F(Accounts, ANameIsGivenOnce) {
  ASSERT_TRUE(accounts_.Create(nightly_));
  EXPECT_EQ(accounts_.Create(nightly_).error().kind, ErrorKind::kConflict);
  ASSERT_TRUE(accounts_.Remove("nightly", clock_.Now()));
  EXPECT_EQ(accounts_.Create(nightly_).error().kind, ErrorKind::kConflict);
}

TEST(IsReserved, SubjectsThatSlipwayGives) {
  EXPECT_TRUE(IsReserved(ServiceAccount{.name = "x"}.subject()));
  EXPECT_TRUE(IsReserved("run:1"));
  for (const auto* subject : {"", "u-1", "service-account", "running", "f:1:service-account:x"})
    EXPECT_FALSE(IsReserved(subject)) << subject;
}

}  // namespace
}  // namespace slipway::auth
