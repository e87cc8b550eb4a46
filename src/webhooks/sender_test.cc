#include "webhooks/sender.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"

namespace slipway::webhooks {
namespace {

// Expected values: the PyPI package standardwebhooks 1.1.0, Webhook(secret).sign("msg_1", 1700000000 s UTC, body).
constexpr const char* kBody = R"({"type":"run.failed"})";

std::string SignedWith(std::string_view secret) {
  return Signature(SigningKey(secret).value(), "msg_1", 1700000000, kBody);
}

TEST(SigningKey, TakesBase64WithPaddingAndWithout) {
  EXPECT_EQ(SigningKey("whsec_dG9wLXNlY3JldA=="), "top-secret");
  EXPECT_EQ(SigningKey("whsec_dG9wLXNlY3JldA"), "top-secret");
  EXPECT_EQ(SigningKey("any text"), "any text");
}

TEST(SigningKey, NeverGivesAnEmptyKey) {
  for (const char* secret : {"", "whsec_", "whsec_====", "whsec_A", "whsec_dG9w LXNl",
                             "whsec_dG9wLXNlY3JldA=", "whsec_dG9w=LXNl", "whsec_dG9wLXNlY3JldA_-"}) {
    auto key = SigningKey(secret);
    ASSERT_FALSE(key) << secret;
    EXPECT_EQ(key.error().kind, ErrorKind::kInvalid) << secret;
  }
}

TEST(Signature, IsThatOfTheSpecification) {
  EXPECT_EQ(SignedWith("whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="),
            "v1,Djw0Hv0v+jopo0leW5ZB/5ghFIBOIQQRe8zVGOr1EZw=");
  EXPECT_EQ(SignedWith("whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY"),
            "v1,Djw0Hv0v+jopo0leW5ZB/5ghFIBOIQQRe8zVGOr1EZw=");
}

class SignatureGolden : public ::testing::TestWithParam<testing::GoldenCase> {};

TEST_P(SignatureGolden, IsTheStandardWebhooksPackages) {
  EXPECT_EQ(Signature(SigningKey(GetParam().text("secret")).value(), GetParam().text("id"),
                      GetParam().at("timestamp").as_int64(), GetParam().text("body")),
            GetParam().text("signature"));
}

INSTANTIATE_TEST_SUITE_P(StandardWebhooks, SignatureGolden,
                         ::testing::ValuesIn(testing::GoldenCases("webhooks/signatures.json")), testing::CaseName);

}  // namespace
}  // namespace slipway::webhooks
