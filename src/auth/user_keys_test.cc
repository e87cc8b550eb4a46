#include "auth/user_keys.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "auth/migrations.h"
#include "base/ids.h"
#include "database/schema.h"
#include "database/sql.h"

namespace slipway::auth {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

Timestamp At(std::string_view text) { return ParseTimestamp(text).value(); }

class Keys : public ::testing::Test {
 protected:
  Keys() { EXPECT_TRUE(keys_.Remember({"u-1", "ana", {"red", "blue"}}, clock_.Now())); }
  ~Keys() override {
    database_.reset();
    for (const auto* suffix : {"", "-wal", "-shm"}) fs::remove(path_.string() + suffix);
  }
  std::string OwnerOf(std::string_view secret) {
    auto owner = keys_.FindOwner(secret);
    EXPECT_TRUE(owner) << owner.error().message;
    return *owner ? (*owner)->person.subject : "nobody";
  }
  std::pair<UserKey, std::string> Made(const std::string& description = "laptop", std::optional<int> days = {}) {
    return keys_.Create({NewUuid(), "u-1", description, days, {}}).value();
  }
  void Wait(std::chrono::seconds time) { clock_.Set(clock_.Now() + time); }

  fs::path path_ = fs::temp_directory_path() / ("slipway-user-keys-" + NewUuid());
  std::unique_ptr<Database> database_ = Database::Open(path_.string(), AllOf(Migrations())).value();
  ManualClock clock_{At("2024-01-01T00:00:00Z")};
  UserKeys keys_{*database_, clock_, {.days = 90, .most_days = 366, .most = 3, .idle_days = 30}};
};

TEST_F(Keys, AKeyIsItsOwnersUntilItIsRevoked) {
  auto [key, secret] = Made("é \"laptop\"");
  EXPECT_EQ(OwnerOf(secret), "u-1");
  EXPECT_EQ(keys_.FindOwner(secret).value()->person.roles, (std::set<std::string>{"blue", "red"}));
  EXPECT_EQ(OwnerOf(secret + "0"), "nobody");
  EXPECT_EQ(OwnerOf(""), "nobody");
  EXPECT_EQ(OwnerOf(key.id), "nobody");
  EXPECT_EQ(OwnerOf(Sha256(secret)), "nobody");
  ASSERT_TRUE(keys_.Revoke("u-1", key.id));
  EXPECT_EQ(OwnerOf(secret), "nobody");
  EXPECT_EQ(keys_.Revoke("u-1", key.id).error().kind, ErrorKind::kNotFound);
  EXPECT_TRUE(keys_.List("u-1").value().empty());
}

TEST_F(Keys, ANewSecretEndsTheOldOne) {
  auto [key, old] = Made();
  auto [same, secret] = keys_.Regenerate("u-1", key.id).value();
  EXPECT_EQ(same.id, key.id);
  EXPECT_EQ(OwnerOf(old), "nobody");
  EXPECT_EQ(OwnerOf(secret), "u-1");
}

TEST_F(Keys, NobodyTouchesAnothersKeys) {
  ASSERT_TRUE(keys_.Remember({"u-2", "bob", {}}, At("2024-01-01T00:00:00Z")));
  auto [key, secret] = Made();
  EXPECT_EQ(keys_.Regenerate("u-2", key.id).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(keys_.Revoke("u-2", key.id).error().kind, ErrorKind::kNotFound);
  EXPECT_TRUE(keys_.List("u-2").value().empty());
  EXPECT_EQ(OwnerOf(secret), "u-1");
}

TEST_F(Keys, TheListIsInTheOrderOfMaking) {
  for (const auto* name : {"c", "a", "b"}) Made(name);
  std::string names;
  auto list = keys_.List("u-1").value();
  for (const auto& key : list) names += key.description;
  EXPECT_EQ(names, "cab");
}

TEST_F(Keys, AnOlderTokenChangesNobodysRoles) {
  auto secret = Made().second;
  ASSERT_TRUE(keys_.Remember({"u-1", "ana", {}}, At("2024-01-05T00:00:00Z")));
  ASSERT_TRUE(keys_.Remember({"u-1", "ana", {"red", "admin"}}, At("2024-01-04T00:00:00Z")));
  EXPECT_TRUE(keys_.FindOwner(secret).value()->person.roles.empty());
}

TEST_F(Keys, AKeyExpires) {
  auto [key, secret] = Made();
  auto [brief, shorter] = Made("for a day", 1);
  EXPECT_EQ(key.expires_at, clock_.Now() + std::chrono::days{90});
  Wait(24h - 1s);
  EXPECT_EQ(OwnerOf(shorter), "u-1");
  Wait(1s);
  auto refused = keys_.FindOwner(shorter);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kDenied);
  EXPECT_EQ(refused.error().message, "the key has expired on 2024-01-02T00:00:00Z: make another one");
  EXPECT_EQ(OwnerOf(secret), "u-1");
  EXPECT_EQ(keys_.Regenerate("u-1", brief.id).error().kind, ErrorKind::kConflict);
  auto list = keys_.List("u-1").value();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_TRUE(keys_.IsActive(list[0]));
  EXPECT_FALSE(keys_.IsActive(list[1]));
}

TEST_F(Keys, ANewSecretLastsNoLongerThanTheOldOne) {
  auto key = Made().first;
  Wait(std::chrono::days{80});
  EXPECT_EQ(keys_.Regenerate("u-1", key.id).value().first.expires_at, key.expires_at);
}

TEST_F(Keys, APersonHasSoManyThatWork) {
  auto first = Made("1").first;
  Made("2", 1);
  Made("3");
  auto fourth = keys_.Create({NewUuid(), "u-1", "4", {}, {}});
  ASSERT_FALSE(fourth);
  EXPECT_EQ(fourth.error().kind, ErrorKind::kConflict);
  ASSERT_TRUE(keys_.Remember({"u-2", "bob", {}}, clock_.Now()));
  EXPECT_TRUE(keys_.Create({NewUuid(), "u-2", "1", {}, {}}));  // of their own
  Wait(24h);                                                   // one has expired
  Made("4");
  EXPECT_FALSE(keys_.Create({NewUuid(), "u-1", "5", {}, {}}));
  ASSERT_TRUE(keys_.Revoke("u-1", first.id));
  Made("5");
}

TEST_F(Keys, NobodyGetsAKeyWhoWasNeverSeen) {
  EXPECT_EQ(keys_.Create({NewUuid(), "u-9", "x", {}, {}}).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(keys_.FindPerson("u-9").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(keys_.FindPerson("u-1")->username, "ana");
}

TEST_F(Keys, AnOwnerWhoIsNotSeenLosesTheUseOfTheirKeys) {
  auto secret = Made().second;
  auto owner = [&] { return keys_.FindOwner(secret).value().value(); };
  Wait(std::chrono::days{30} - 1s);
  EXPECT_TRUE(keys_.CheckSeen(owner()));
  Wait(1s);
  EXPECT_EQ(keys_.CheckSeen(owner()).error().kind, ErrorKind::kDenied);
  EXPECT_TRUE(UserKeys(*database_, clock_, {.idle_days = 0}).CheckSeen(owner()));
  // Whatever the token says of itself: that it was shown now is what counts.
  ASSERT_TRUE(keys_.Remember({"u-1", "ana", {"red", "blue"}}, At("2023-01-01T00:00:00Z")));
  EXPECT_TRUE(keys_.CheckSeen(owner()));
  Wait(std::chrono::days{30});
  ASSERT_TRUE(keys_.Note(owner(), false));
  EXPECT_FALSE(keys_.CheckSeen(owner()));  // that the key is used says nothing of its owner
  ASSERT_TRUE(keys_.Note(owner(), true));  // the issuer knows them
  EXPECT_TRUE(keys_.CheckSeen(owner()));
}

TEST_F(Keys, TheLastUseIsNotedNowAndThen) {
  auto secret = Made().second;
  auto use = [&] { ASSERT_TRUE(keys_.Note(keys_.FindOwner(secret).value().value(), false)); };
  auto noted = [&] { return keys_.List("u-1").value().front().last_used_at; };
  EXPECT_FALSE(noted());
  Wait(1h);
  auto first = clock_.Now();
  use();
  EXPECT_EQ(noted(), first);
  Wait(599s);
  use();
  EXPECT_EQ(noted(), first);
  Wait(1s);
  use();
  EXPECT_EQ(noted(), clock_.Now());
}

TEST_F(Keys, WhatHadNoExpiryGetsOneFromNow) {
  auto secret = Made().second;
  ASSERT_TRUE(database_->Write([](sql::Session& session) -> Result<> {
    session << "UPDATE user_keys SET expires_at = NULL";
    session << "UPDATE people SET seen_at = NULL";
    return {};
  }));
  EXPECT_EQ(keys_.FindOwner(secret).error().kind, ErrorKind::kDenied);
  Wait(1h);
  EXPECT_EQ(keys_.DateUndated(), 1);
  EXPECT_EQ(keys_.DateUndated(), 0);
  EXPECT_EQ(keys_.List("u-1")->front().expires_at, clock_.Now() + std::chrono::days{90});
  EXPECT_TRUE(keys_.CheckSeen(keys_.FindOwner(secret).value().value()));
}

TEST_F(Keys, WhatIsDoneBesideAChangeIsDoneWithIt) {
  auto fails = [](sql::Session&) -> Result<> { return Fail(ErrorKind::kIo, "the audit log is full"); };
  EXPECT_FALSE(keys_.Create({NewUuid(), "u-1", "x", {}, {}}, fails));
  EXPECT_TRUE(keys_.List("u-1")->empty());
  auto [key, secret] = Made();
  EXPECT_FALSE(keys_.Regenerate("u-1", key.id, fails));
  EXPECT_FALSE(keys_.Revoke("u-1", key.id, fails));
  EXPECT_EQ(OwnerOf(secret), "u-1");
}

}  // namespace
}  // namespace slipway::auth
