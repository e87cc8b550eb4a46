#include "auth/token.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"

namespace slipway::auth {
namespace {

using testing::GoldenCase;

const json::value& Golden() {
  static const auto kGolden = testing::GoldenJson("auth/tokens.json");
  return kGolden;
}

KeySet Keys() { return KeySet::Parse(json::serialize(Golden().at("jwks"))).value(); }

TokenRules Rules() {
  auto text = [](const char* key) { return std::string(Golden().at(key).as_string()); };
  return {text("issuer"), text("audience"), text("client"),
          RolesClaim::Parse(RolesClaim::kKeycloak, text("client")).value(),
          static_cast<int>(Golden().at("leeway").as_int64())};
}

Timestamp Now() { return Timestamp{std::chrono::microseconds{Golden().at("now").as_int64()}}; }

class TokenGolden : public ::testing::TestWithParam<GoldenCase> {};

/// What PyJWT accepts with the keys of the set, and nothing else; every refusal is a refusal, not a failure. PyJWT does
/// not look at the letters of a subject.
TEST_P(TokenGolden, IsAcceptedWherePyJwtAcceptsIt) {
  auto claims = VerifyToken(GetParam().text("token"), Keys(), Rules(), Now());
  bool a_name = GetParam().at("name").as_string() != "claims with a NUL";
  ASSERT_EQ(claims.has_value(), a_name && GetParam().at("accepted").as_bool())
      << (claims ? claims->subject : claims.error().message);
  if (!claims) {
    EXPECT_TRUE(claims.error().kind == ErrorKind::kDenied || claims.error().kind == ErrorKind::kNotFound)
        << claims.error().message;
    return;
  }
  json::array roles;
  for (const auto& role : claims->roles) roles.emplace_back(role);
  EXPECT_EQ(json::value(roles), Golden().at("roles"));
  EXPECT_EQ(claims->username, "ana");
}

INSTANTIATE_TEST_SUITE_P(PyJwt, TokenGolden, ::testing::ValuesIn(testing::GoldenCases("auth/tokens.json", "cases")),
                         testing::CaseName);

TEST(VerifyToken, TokensThatSayNothingAreTakenWhereTheIssuerMarksNone) {
  auto rules = Rules();
  for (const auto& one : Golden().at("cases").as_array())
    if (one.at("name").as_string() == "no typ anywhere") {
      std::string token(one.at("token").as_string());
      EXPECT_EQ(VerifyToken(token, Keys(), rules, Now()).error().kind, ErrorKind::kDenied);
      rules.unmarked = true;
      EXPECT_TRUE(VerifyToken(token, Keys(), rules, Now()));
      return;
    }
  FAIL() << "the case is gone";
}

TEST(KeySet, OnlySigningKeysOfKnownKindsAreTaken) {
  auto keys = Keys();
  EXPECT_TRUE(keys.Has("rsa", "RS256"));
  EXPECT_TRUE(keys.Has("ec", "ES256"));
  EXPECT_TRUE(keys.Has("", "RS256"));
  EXPECT_FALSE(keys.Has("rsa", "ES256"));
  EXPECT_FALSE(keys.Has("encryption", "RS256"));
  EXPECT_FALSE(keys.Has("secret", "HS256"));
  EXPECT_FALSE(keys.Has("ed", "ES256"));
  EXPECT_FALSE(keys.Has("rsa", "HS256"));
}

TEST(KeySet, DamageIsKnown) {
  for (const auto* text : {"", "[]", "{}", R"({"keys": 1})", R"({"keys": [1]})", R"({"keys": [{"kid": "x"}]})"})
    EXPECT_FALSE(KeySet::Parse(text)) << text;
  // Numbers that are no base64url leave the key out; libcjose would end the process.
  auto set = KeySet::Parse(R"({"keys": [{"kty": "RSA", "kid": "a", "n": "!", "e": "AQAB"},
                                        {"kty": "EC", "crv": "P-256", "kid": "b", "x": "A", "y": "AA"}]})");
  ASSERT_TRUE(set);
  EXPECT_FALSE(set->Has("a", "RS256"));
  EXPECT_FALSE(set->Has("b", "ES256"));
}

TEST(ReadTokenHeader, LongTokensAreNotRead) {
  EXPECT_EQ(ReadTokenHeader(std::string(20'000, 'a')).error().kind, ErrorKind::kDenied);
}

TEST(LooksLikeToken, ThreePartsDo) {
  EXPECT_TRUE(LooksLikeToken("a.b.c"));
  EXPECT_TRUE(LooksLikeToken(".."));
  EXPECT_FALSE(LooksLikeToken("a.b"));
  EXPECT_FALSE(LooksLikeToken("0123456789abcdef"));
  EXPECT_FALSE(LooksLikeToken("a.b.c.d.e"));
}

}  // namespace
}  // namespace slipway::auth
