#include "base/json.h"

#include <gtest/gtest.h>

#include "base/testing/golden.h"

namespace slipway {
namespace {

class JsonGolden : public ::testing::TestWithParam<testing::GoldenCase> {};

TEST_P(JsonGolden, IsReadWherePythonReadsIt) {
  auto value = ParseJson(GetParam().text("text"));
  ASSERT_EQ(value.has_value(), GetParam().at("ok").as_bool())
      << (value ? json::serialize(*value) : value.error().message);
  if (value) {
    EXPECT_EQ(*value, GetParam().at("value"));
  } else {
    EXPECT_EQ(value.error().kind, ErrorKind::kInvalid);
  }
}

INSTANTIATE_TEST_SUITE_P(Python, JsonGolden, ::testing::ValuesIn(testing::GoldenCases("base/json.json")),
                         testing::CaseName);

TEST(ParseJson, DepthIsLimited) {
  auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(ParseJson(nested(64)));
  EXPECT_FALSE(ParseJson(nested(65)));
  EXPECT_TRUE(ParseJson(nested(3), 3));
  EXPECT_FALSE(ParseJson(nested(4), 3));
  EXPECT_FALSE(ParseJson(std::string(1'000'000, '[')));
}

TEST(ParseJson, ErrorsNameTheByte) {
  EXPECT_NE(ParseJson("{\"a\": nope}").error().message.find("byte 6"), std::string::npos);
  EXPECT_NE(ParseJson("[1] 2").error().message.find("extra data at byte"), std::string::npos);
}

JsonObject ObjectOf(const json::value& value) { return JsonObject::From(value, "thing").value(); }

TEST(JsonObject, MembersAreReadByTheirType) {
  auto value =
      ParseJson(R"({"s": "x", "i": 5, "wide": 5000000000, "b": true, "a": [1], "o": {"p": 1}, "n": null})").value();
  auto object = ObjectOf(value);
  EXPECT_EQ(object.String("s").value(), "x");
  EXPECT_EQ(object.Int("wide").value(), 5'000'000'000);
  EXPECT_EQ(object.Int32("i").value(), 5);
  EXPECT_TRUE(object.Bool("b").value());
  EXPECT_EQ(object.Array("a").value()->size(), 1);
  EXPECT_EQ(object.Object("o").value().where(), "thing.o");
  EXPECT_EQ(object.String("n", "fallback").value(), "fallback");
  EXPECT_EQ(object.Int("gone", 7).value(), 7);
  EXPECT_EQ(object.OptionalString("n").value(), std::nullopt);
  EXPECT_EQ(object.OptionalInt("i").value(), 5);
}

TEST(JsonObject, ErrorsNameThePathAndWhatIsWrong) {
  auto value = ParseJson(R"({"s": 1, "i": 1.5, "wide": 5000000000, "b": 0, "a": {}, "o": [], "n": null})").value();
  auto object = ObjectOf(value);
  EXPECT_EQ(object.String("s").error().message, "thing: 's' is not a string");
  EXPECT_EQ(object.String("gone").error().message, "thing: 'gone' is missing");
  EXPECT_EQ(object.String("n").error().message, "thing: 'n' is missing");
  EXPECT_EQ(object.Int("i").error().message, "thing: 'i' is not a 64-bit integer");
  EXPECT_EQ(object.Int32("wide").error().message, "thing: 'wide' is not a 32-bit integer");
  EXPECT_EQ(object.Bool("b").error().message, "thing: 'b' is not a boolean");
  EXPECT_EQ(object.Array("a").error().message, "thing: 'a' is not an array");
  EXPECT_EQ(object.Object("o").error().message, "thing: 'o' is not an object");
  EXPECT_FALSE(object.String("s", "a fallback is for what is absent"));
  EXPECT_FALSE(JsonObject::From(json::value(1), "thing"));
  EXPECT_FALSE(JsonStrings(json::array{"a", 1}, "thing"));
}

}  // namespace
}  // namespace slipway
