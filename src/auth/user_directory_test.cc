#include "auth/user_directory.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>

#include "base/format.h"

namespace slipway::auth {
namespace {

/// Keycloak's admin API in this process, which answers when a test lets it.
class Keycloak {
 public:
  Http http() {
    return [this](const HttpRequest& request) -> Result<HttpAnswer> {
      std::unique_lock lock(mutex_);
      ++asked_;
      changed_.notify_all();
      changed_.wait(lock, [&] { return !hangs_; });
      if (away_) return Fail(ErrorKind::kUnavailable, "connection refused");
      if (request.url == "https://k/token") return HttpAnswer{200, R"({"access_token": "t", "expires_in": 600})"};
      if (request.url.ends_with("/role-mappings/realm/composite")) return HttpAnswer{200, roles_};
      if (request.url.ends_with("/users/gone")) return HttpAnswer{404, "{}"};
      return HttpAnswer{200, enabled_ ? R"({"enabled": true})" : R"({"enabled": false})"};
    };
  }
  void Set(const std::string& roles, bool enabled = true) {
    std::lock_guard lock(mutex_);
    roles_ = roles;
    enabled_ = enabled;
  }
  void Away(bool away) {
    std::lock_guard lock(mutex_);
    away_ = away;
  }
  void Hang(bool hangs) {
    std::lock_guard lock(mutex_);
    hangs_ = hangs;
    changed_.notify_all();
  }
  void AwaitAsked(int times) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return asked_ >= times; });
  }
  int asked() {
    std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string roles_ = R"([{"name": "red"}])";
  bool enabled_ = true, away_ = false, hangs_ = false;
  int asked_ = 0;
};

struct Directory : ::testing::Test {
  Keycloak keycloak;
  UserDirectory directory{{.issuer = "https://k/realms/r",
                           .client = "",
                           .service_client = "s",
                           .service_secret = "s",
                           .refresh_seconds = 60,
                           .oldest_seconds = 1000,
                           .deadline_seconds = 60},
                          [] { return "https://k/token"; },
                          keycloak.http()};
};

TEST_F(Directory, WhatItSaidIsKeptForAWhile) {
  EXPECT_EQ(directory.LookUp("u", 0)->roles, std::set<std::string>{"red"});
  keycloak.Set("[]", false);
  EXPECT_TRUE(directory.LookUp("u", 59)->enabled);
  auto later = directory.LookUp("u", 60);
  EXPECT_FALSE(later->enabled);
  EXPECT_TRUE(later->is_new);
  EXPECT_EQ(directory.LookUp("gone", 0).error().kind, ErrorKind::kNotFound);
}

/// H9: roles from before it went away do not count for ever.
TEST_F(Directory, WhileItIsAwayWhatItSaidLastCountsUntilItIsTooOld) {
  EXPECT_TRUE(directory.LookUp("u", 0));
  keycloak.Away(true);
  auto before = directory.LookUp("u", 999);
  ASSERT_TRUE(before) << before.error().message;
  EXPECT_FALSE(before->is_new);
  EXPECT_EQ(directory.LookUp("u", 1000).error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(directory.LookUp("other", 1000).error().kind, ErrorKind::kUnavailable);
  keycloak.Away(false);
  EXPECT_TRUE(directory.LookUp("u", 1010)->is_new);
}

TEST_F(Directory, ItIsNotAskedForEveryRequestWhileItIsAway) {
  keycloak.Away(true);
  EXPECT_FALSE(directory.LookUp("u", 0));
  auto asked = keycloak.asked();
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(directory.LookUp("u" + std::to_string(i), 1));
  EXPECT_EQ(keycloak.asked(), asked);
}

/// H3: two callers at most wait for an admin API that hangs.
TEST_F(Directory, WhileItHangsTheOthersGetAnAnswerAtOnce) {
  EXPECT_TRUE(directory.LookUp("known", 0));
  keycloak.Hang(true);
  auto asked = keycloak.asked();
  auto one = std::async(std::launch::async, [&] { return directory.LookUp("one", 100); });
  auto two = std::async(std::launch::async, [&] { return directory.LookUp("two", 100); });
  keycloak.AwaitAsked(asked + 2);
  for (const char* subject : {"one", "two", "three", "four"})
    EXPECT_EQ(directory.LookUp(subject, 100).error().kind, ErrorKind::kUnavailable);
  EXPECT_FALSE(directory.LookUp("known", 100)->is_new);
  keycloak.Hang(false);
  EXPECT_TRUE(one.get()->is_new);
  EXPECT_TRUE(two.get()->is_new);
  EXPECT_TRUE(directory.LookUp("three", 100)->is_new);
}

}  // namespace
}  // namespace slipway::auth
