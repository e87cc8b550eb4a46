#include "auth/issuer_keys.h"

#include <gtest/gtest.h>

#include <future>

#include "base/testing/golden.h"

namespace slipway::auth {
namespace {

constexpr auto kIssuer = "https://issuer.example/realms/slipway";

/// An issuer in this process, which answers when a test lets it.
class Issuer {
 public:
  Http http() {
    return [this](const HttpRequest& request) -> Result<HttpAnswer> {
      std::unique_lock lock(mutex_);
      ++asked_;
      changed_.notify_all();
      changed_.wait(lock, [&] { return !hangs_; });
      if (failure_) return Failure(*failure_);
      bool discovery = request.url.ends_with("/.well-known/openid-configuration");
      return HttpAnswer{200, discovery
                                 ? json::serialize(json::object{{"issuer", kIssuer},
                                                                {"jwks_uri", "https://issuer.example/keys"},
                                                                {"token_endpoint", "https://issuer.example/token"}})
                                 : keys_};
    };
  }
  void Has(const std::vector<std::string>& kids) {
    static const auto kGolden = testing::GoldenJson("auth/tokens.json");
    json::array keys;
    for (const auto& key : kGolden.at("jwks").at("keys").as_array())
      for (const auto& kid : kids)
        if (key.at("kid").as_string() == kid) keys.push_back(key);
    std::lock_guard lock(mutex_);
    keys_ = json::serialize(json::object{{"keys", keys}});
  }
  void Fail(std::optional<Error> failure) {
    std::lock_guard lock(mutex_);
    failure_ = std::move(failure);
  }
  void Hang(bool hangs) {
    std::lock_guard lock(mutex_);
    hangs_ = hangs;
    changed_.notify_all();
  }
  int asked() {
    std::lock_guard lock(mutex_);
    return asked_;
  }
  void AwaitAsked(int times) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return asked_ >= times; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string keys_ = R"({"keys": []})";
  std::optional<Error> failure_;
  bool hangs_ = false;
  int asked_ = 0;
};

const TokenHeader kRsa{"RS256", "rsa"}, kCurve{"ES256", "ec"}, kUnknown{"RS256", "nope"};
const Error kDown{ErrorKind::kUnavailable, "connection refused"};

IssuerKeys::Options Settings(int refresh, int renew, double deadline = 60) {
  return {.issuer = kIssuer, .refresh_seconds = refresh, .renew_seconds = renew, .deadline_seconds = deadline};
}

bool Knows(IssuerKeys& keys, const TokenHeader& header) {
  auto found = keys.For(header);
  EXPECT_TRUE(found) << found.error().message;
  return found && (*found)->Has(header.kid, header.algorithm);
}

/// H3: while one token with a made-up key waits for an issuer that never answers, nobody else waits for anything.
TEST(IssuerKeys, AHangingIssuerKeepsOneCallerAtMost) {
  Issuer issuer;
  issuer.Has({"rsa"});
  IssuerKeys keys(Settings(0, 1000), issuer.http());
  keys.AwaitFirst();
  issuer.Hang(true);
  auto waiting = std::async(std::launch::async, [&] { return keys.For(kUnknown); });
  issuer.AwaitAsked(3);
  for (int i = 0; i < 100; ++i) {
    auto other = keys.For({"RS256", "made-up-" + std::to_string(i)});
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().kind, ErrorKind::kUnavailable);
    EXPECT_TRUE(Knows(keys, kRsa));
    EXPECT_TRUE(keys.Ready());
  }
  EXPECT_EQ(issuer.asked(), 3);
  issuer.Has({"rsa", "ec"});
  issuer.Hang(false);
  auto told = waiting.get();
  ASSERT_TRUE(told);  // there is no such key: the token is not valid
  EXPECT_FALSE((*told)->Has("nope", "RS256"));
  EXPECT_TRUE(Knows(keys, kCurve));
}

TEST(IssuerKeys, WhoWaitsDoesSoUntilTheDeadline) {
  Issuer issuer;
  issuer.Hang(true);
  IssuerKeys keys(Settings(0, 1000, 0.01), issuer.http());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(keys.For(kRsa).error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(keys.Ready().error().kind, ErrorKind::kUnavailable);
  issuer.Hang(false);
}

TEST(IssuerKeys, AnUnknownKeyIsAskedForOnceInAWhile) {
  Issuer issuer;
  issuer.Has({"rsa"});
  IssuerKeys keys(Settings(1000, 1000), issuer.http());
  EXPECT_TRUE(Knows(keys, kRsa));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(Knows(keys, kUnknown));
  EXPECT_EQ(issuer.asked(), 2);  // its configuration and its keys
}

TEST(IssuerKeys, ANewKeyIsFoundWhenATokenNamesIt) {
  Issuer issuer;
  issuer.Has({"rsa"});
  IssuerKeys keys(Settings(0, 1000), issuer.http());
  keys.AwaitFirst();
  issuer.Has({"rsa", "ec"});
  EXPECT_TRUE(Knows(keys, kCurve));
}

/// M9: nobody has to bring a token with a new key.
TEST(IssuerKeys, AWithdrawnKeyGoesByItself) {
  Issuer issuer;
  issuer.Has({"rsa", "ec"});
  IssuerKeys keys(Settings(1000, 0), issuer.http());
  EXPECT_TRUE(Knows(keys, kRsa));
  issuer.Has({"ec"});
  issuer.AwaitAsked(issuer.asked() + 5);  // a whole round since
  EXPECT_FALSE(Knows(keys, kRsa));
  EXPECT_TRUE(Knows(keys, kCurve));
}

TEST(IssuerKeys, AnIssuerThatIsAwayWithdrawsNothing) {
  Issuer issuer;
  issuer.Has({"rsa"});
  IssuerKeys keys(Settings(0, 0), issuer.http());
  EXPECT_TRUE(Knows(keys, kRsa));
  issuer.Fail(kDown);
  issuer.AwaitAsked(issuer.asked() + 3);
  EXPECT_TRUE(Knows(keys, kRsa));
  EXPECT_EQ(keys.For(kUnknown).error().kind, ErrorKind::kUnavailable);
}

TEST(IssuerKeys, NonsenseIsNoAnswer) {
  for (const auto* nonsense : {"<html>", "[]", R"({"keys": 7})", ""}) {
    IssuerKeys keys(Settings(0, 1000),
                    [&](const HttpRequest&) -> Result<HttpAnswer> { return HttpAnswer{200, nonsense}; });
    keys.AwaitFirst();
    EXPECT_FALSE(keys.Ready()) << nonsense;
    EXPECT_EQ(keys.For(kRsa).error().kind, ErrorKind::kUnavailable) << nonsense;
  }
}

}  // namespace
}  // namespace slipway::auth
