#include "base/oauth_token.h"

#include <gtest/gtest.h>

namespace slipway {
namespace {

TEST(KindOf, TellsWhatACallerMayDo) {
  using enum ErrorKind;
  for (auto [status, kind] : {std::pair{400L, kInvalid},
                              {401, kDenied},
                              {403, kDenied},
                              {404, kNotFound},
                              {405, kInvalid},
                              {406, kUnsupported},
                              {408, kUnavailable},
                              {409, kConflict},
                              {412, kInvalid},
                              {419, kUnavailable},
                              {422, kInvalid},
                              {429, kUnavailable},
                              {500, kUnavailable},
                              {501, kUnsupported},
                              {502, kUnavailable},
                              {503, kUnavailable},
                              {504, kUnavailable},
                              {302, kUnavailable}})
    EXPECT_EQ(KindOf(status), kind) << status;
}

TEST(TokenExchangeRequest, IsThatOfRfc8693) {
  OAuthClient client{.token_url = "https://issuer/token", .client_id = "slipway", .client_secret = "s&x", .scope = ""};
  auto request = TokenExchangeRequest(client, "a.b+c", "the catalog");
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "https://issuer/token");
  EXPECT_EQ(request.body,
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&client_secret=s%26x&client_id=slipway"
            "&subject_token=a.b%2Bc&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
            "&requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token&audience=the%20catalog");
  EXPECT_EQ(TokenExchangeRequest(client, "t", "").body.find("audience"), std::string::npos);
}

/// Gives token-1, token-2, …, each good for 100 seconds.
struct Issuer {
  int asked = 0;
  bool down = false;
  KeptToken token{[this]() -> Result<OAuthToken> {
    ++asked;
    if (down) return Fail(ErrorKind::kUnavailable, "down");
    return OAuthToken{.access = "token-" + std::to_string(asked), .refresh = "", .seconds = 100};
  }};
};

TEST(KeptToken, IsKeptUntilMostOfItsTimeIsOver) {
  Issuer issuer;
  for (double now : {0.0, 50.0, 79.9}) EXPECT_EQ(issuer.token.Get(now), "token-1");
  EXPECT_EQ(issuer.token.Get(80), "token-2");
  EXPECT_EQ(issuer.token.Get(159), "token-2");
}

TEST(KeptToken, IsAskedForAnewWhenItWasRefused) {
  Issuer issuer;
  EXPECT_EQ(issuer.token.Get(0), "token-1");
  issuer.token.Forget("token-1");
  EXPECT_EQ(issuer.token.Get(0), "token-2");
  issuer.token.Forget("token-1");  // of somebody who used it before
  EXPECT_EQ(issuer.token.Get(0), "token-2");
}

TEST(KeptToken, AFailureIsNotKept) {
  Issuer issuer;
  issuer.down = true;
  EXPECT_EQ(issuer.token.Get(0).error().kind, ErrorKind::kUnavailable);
  issuer.down = false;
  EXPECT_EQ(issuer.token.Get(0), "token-2");
}

TEST(OAuthToken, ReadsWhatEndpointsAnswer) {
  auto token = ReadToken(HttpAnswer{200, R"({"access_token":"a","expires_in":300,"refresh_token":"r"})"}, "x", 60);
  ASSERT_TRUE(token);
  EXPECT_EQ(token->access + token->refresh, "ar");
  EXPECT_EQ(token->seconds, 300);
  EXPECT_EQ(ReadToken(HttpAnswer{201, R"({"access_token":"a"})"}, "x", 60)->seconds, 60);
  auto refused =
      ReadToken(HttpAnswer{400, R"({"error":"invalid_client","error_description":"no such client"})"}, "at x", 60);
  EXPECT_EQ(refused.error().kind, ErrorKind::kDenied);
  EXPECT_EQ(refused.error().message, "at x: 400 no such client");
  EXPECT_EQ(ReadToken(HttpAnswer{503, "later"}, "x", 60).error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(ReadToken(HttpAnswer{200, "<html>"}, "x", 60).error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(ReadToken(HttpAnswer{200, "{}"}, "x", 60).error().kind, ErrorKind::kInvalid);
}

TEST(OAuthToken, AsksWithAnEncodedForm) {
  auto request = ClientCredentialsRequest({"https://i/token", "me", "a&b=c d", "catalog"});
  EXPECT_EQ(request.body, "grant_type=client_credentials&client_secret=a%26b%3Dc%20d&client_id=me&scope=catalog");
  EXPECT_EQ(request.method + request.url, "POSThttps://i/token");
}

}  // namespace
}  // namespace slipway
