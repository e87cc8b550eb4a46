#include "base/encoding.h"

#include <gtest/gtest.h>

#include "base/ids.h"
#include "base/testing/golden.h"
#include "base/url.h"

namespace slipway {
namespace {

using testing::FromHex;
using testing::GoldenCase;
using testing::GoldenCases;
using testing::ToHex;

class EncodingGolden : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(EncodingGolden, Base64IsPythons) {
  auto bytes = FromHex(GetParam().text("bytes"));
  EXPECT_EQ(Base64(bytes), GetParam().text("base64"));
  EXPECT_EQ(ToHex(FromBase64(GetParam().text("base64")).value()), GetParam().text("bytes"));
}

TEST_P(EncodingGolden, DigestsArePythons) {
  auto bytes = FromHex(GetParam().text("bytes"));
  EXPECT_EQ(Sha256(bytes), GetParam().text("sha256"));
  EXPECT_EQ(ToHex(HmacSha256(FromHex(GetParam().text("key")), bytes)), GetParam().text("hmac"));
}

TEST_P(EncodingGolden, PercentEncodingIsPythons) {
  EXPECT_EQ(UrlEncode(FromHex(GetParam().text("bytes"))), GetParam().text("url"));
}

INSTANTIATE_TEST_SUITE_P(Python, EncodingGolden, ::testing::ValuesIn(GoldenCases("base/encodings.json")),
                         testing::CaseName);

class Base64TextGolden : public ::testing::TestWithParam<GoldenCase> {};

/// Text that is no base64 gives nothing, wherever its padding is wrong; it never throws.
TEST_P(Base64TextGolden, OnlyBase64IsRead) {
  const auto& want = GetParam().at("bytes");
  auto bytes = FromBase64(GetParam().text("text"));
  EXPECT_EQ(bytes ? json::value(ToHex(*bytes)) : json::value(nullptr), want);
}

INSTANTIATE_TEST_SUITE_P(Python, Base64TextGolden, ::testing::ValuesIn(GoldenCases("base/base64.json")),
                         testing::CaseName);

}  // namespace
}  // namespace slipway
