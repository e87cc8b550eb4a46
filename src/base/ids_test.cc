#include "base/ids.h"

#include <gtest/gtest.h>

#include <set>

#include "base/testing/golden.h"

namespace slipway {
namespace {

class UuidGolden : public ::testing::TestWithParam<testing::GoldenCase> {};

TEST_P(UuidGolden, OfANameIsPythonsVersion5) {
  EXPECT_EQ(UuidOf(GetParam().text("space"), GetParam().text("text")), GetParam().text("uuid"));
  EXPECT_TRUE(IsUuid(GetParam().text("uuid")));
}

INSTANTIATE_TEST_SUITE_P(Python, UuidGolden, ::testing::ValuesIn(testing::GoldenCases("base/uuids.json")),
                         testing::CaseName);

TEST(Uuid, RandomOnesAreVersion4AndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    auto uuid = NewUuid();
    ASSERT_TRUE(IsUuid(uuid)) << uuid;
    EXPECT_EQ(uuid[14], '4') << uuid;
    EXPECT_NE(std::string_view("89ab").find(uuid[19]), std::string_view::npos) << uuid;
    seen.insert(uuid);
  }
  EXPECT_EQ(seen.size(), 1000);
}

TEST(Uuid, WhatIsNoneIsKnown) {
  for (const auto* text : {"", "f79c3e09-677c-4bbd-a479-3f349cb785e", "f79c3e09-677c-4bbd-a479-3f349cb785e77",
                           "f79c3e09x677c-4bbd-a479-3f349cb785e7", "g79c3e09-677c-4bbd-a479-3f349cb785e7",
                           "f79c3e09677c4bbda4793f349cb785e7", "{f79c3e09-677c-4bbd-a479-3f349cb785e}",
                           "f79c3e0-9677c-4bbd-a479-3f349cb785e7", " 79c3e09-677c-4bbd-a479-3f349cb785e7"})
    EXPECT_FALSE(IsUuid(text)) << text;
  EXPECT_TRUE(IsUuid("F79C3E09-677C-4BBD-A479-3F349CB785E7"));
}

TEST(RandomHex, HasTwoDigitsAByteAndDiffers) {
  EXPECT_EQ(RandomHex(0), "");
  EXPECT_EQ(RandomHex(16).size(), 32);
  EXPECT_NE(RandomHex(16), RandomHex(16));
  EXPECT_EQ(RandomHex(64).find_first_not_of("0123456789abcdef"), std::string::npos);
}

TEST(NewSnapshotId, IsPositive) {
  for (int i = 0; i < 1000; ++i) ASSERT_GT(NewSnapshotId(), 0);
}

TEST(ConstantTimeEqual, IsEquality) {
  EXPECT_TRUE(ConstantTimeEqual("", ""));
  EXPECT_TRUE(ConstantTimeEqual("secret", "secret"));
  EXPECT_FALSE(ConstantTimeEqual("secret", "Secret"));
  EXPECT_FALSE(ConstantTimeEqual("secret", "secret "));
  EXPECT_FALSE(ConstantTimeEqual("", "x"));
}

}  // namespace
}  // namespace slipway
