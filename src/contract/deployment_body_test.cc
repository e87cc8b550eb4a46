#include "contract/deployment_body.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/testing/golden.h"
#include "contract/json_text.h"
#include "contract/shortened.h"

namespace slipway::contract {
namespace {

using slipway::testing::GoldenCase;
using slipway::testing::GoldenCases;

/// What the server answers to a body: the entries of a 422's detail, or the body with its defaults.
struct Answer {
  json::array detail;
  json::object accepted;
};

Answer AnswerTo(const ObjectDescription& description, std::string_view body) {
  auto read = ParseJsonText(body);
  std::vector<ValidationError> errors;
  Answer answer;
  if (read)
    answer.accepted = Parse(description, *read, {"body"}, errors);
  else
    errors = {{"json_invalid",
               {"body", read.error().position},
               "JSON decode error",
               json::object{},
               json::object{{"error", read.error().message}}}};
  for (const auto& error : errors) answer.detail.push_back(ToJson(error));
  return answer;
}

/// An entry of a detail to be compared: of a value_error only where it stands, since its words are each project's own.
json::value Compared(const json::value& entry) {
  auto compared = entry.as_object();
  if (compared.at("type") == "value_error") return json::object{{"type", "value_error"}, {"loc", compared.at("loc")}};
  return compared;
}

/// The entries of `one` that `other` lacks.
std::string Missing(const json::array& one, const json::array& other) {
  std::string text;
  for (const auto& entry : one) {
    auto same = [&](const json::value& candidate) { return Compared(candidate) == Compared(entry); };
    if (std::ranges::none_of(other, same)) text += "  " + json::serialize(entry) + "\n";
  }
  return text;
}

void ExpectFastApisAnswer(const ObjectDescription& description, const GoldenCase& one) {
  auto got = AnswerTo(description, one.text("body"));
  if (const auto* detail = one.find("detail")) {
    const auto& want = detail->as_array();
    EXPECT_EQ(got.detail.size(), want.size());
    EXPECT_EQ(Missing(want, got.detail), "") << "FastAPI says these, Slipway does not";
    EXPECT_EQ(Missing(got.detail, want), "") << "Slipway says these, FastAPI does not";
  } else {
    EXPECT_EQ(got.detail, json::array{}) << "FastAPI accepts the body";
    EXPECT_EQ(json::value(got.accepted), one.at("accepted"));
  }
}

class CreateGolden : public ::testing::TestWithParam<GoldenCase> {};
TEST_P(CreateGolden, AnswersAreFastApis) { ExpectFastApisAnswer(CreateDeploymentBody(), GetParam()); }
INSTANTIATE_TEST_SUITE_P(Generated, CreateGolden, ::testing::ValuesIn(GoldenCases("contract/create.json")),
                         slipway::testing::CaseName);
INSTANTIATE_TEST_SUITE_P(Collected, CreateGolden, ::testing::ValuesIn(GoldenCases("contract/collected.json")),
                         slipway::testing::CaseName);

class AllowedRolesGolden : public ::testing::TestWithParam<GoldenCase> {};
TEST_P(AllowedRolesGolden, AnswersAreFastApis) { ExpectFastApisAnswer(AllowedRolesBody(), GetParam()); }
INSTANTIATE_TEST_SUITE_P(Generated, AllowedRolesGolden, ::testing::ValuesIn(GoldenCases("contract/AllowedRoles.json")),
                         slipway::testing::CaseName);

class TriggerGolden : public ::testing::TestWithParam<GoldenCase> {};
TEST_P(TriggerGolden, AnswersAreFastApis) { ExpectFastApisAnswer(TriggerBody(), GetParam()); }
INSTANTIATE_TEST_SUITE_P(Generated, TriggerGolden, ::testing::ValuesIn(GoldenCases("contract/Trigger.json")),
                         slipway::testing::CaseName);

class BackfillGolden : public ::testing::TestWithParam<GoldenCase> {};
TEST_P(BackfillGolden, AnswersAreFastApis) { ExpectFastApisAnswer(BackfillBody(), GetParam()); }
INSTANTIATE_TEST_SUITE_P(Generated, BackfillGolden, ::testing::ValuesIn(GoldenCases("contract/Backfill.json")),
                         slipway::testing::CaseName);

class NewUserKeyGolden : public ::testing::TestWithParam<GoldenCase> {};
TEST_P(NewUserKeyGolden, AnswersAreFastApis) { ExpectFastApisAnswer(UserKeyBody(), GetParam()); }
INSTANTIATE_TEST_SUITE_P(Generated, NewUserKeyGolden, ::testing::ValuesIn(GoldenCases("contract/NewUserKey.json")),
                         slipway::testing::CaseName);

class RunReportGolden : public ::testing::TestWithParam<GoldenCase> {};
TEST_P(RunReportGolden, AnswersAreFastApis) { ExpectFastApisAnswer(CallbackBody(), GetParam()); }
INSTANTIATE_TEST_SUITE_P(Generated, RunReportGolden, ::testing::ValuesIn(GoldenCases("contract/RunReport.json")),
                         slipway::testing::CaseName);

TEST(CreateDeploymentBody, UnknownFieldsAreNamedAndIgnored) {
  auto body = ParseJson(GoldenCases("contract/collected.json")[0].text("body")).value();
  body.as_object()["extra"] = 1;
  body.as_object()["Name"] = "x";
  std::vector<ValidationError> errors;
  UnknownFields unknown;
  auto parsed = Parse(CreateDeploymentBody(), body, {"body"}, errors, &unknown);
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(unknown.names, (std::vector<std::string>{"extra", "Name"}));
  EXPECT_FALSE(parsed.contains("extra"));
}

TEST(CreateDeploymentBody, UnknownFieldsAreRefusedWhereTheyAreNotIgnored) {
  auto body = ParseJson(GoldenCases("contract/collected.json")[0].text("body")).value();
  auto& object = body.as_object();
  object["extra"] = 1;
  object["shedule"] = "0 6 * * *";
  object["filter_sql"] = "id > 1";
  object["source"].as_object()["filtersql"] = "id > 1";
  object["model"].as_object()["modelversion"] = "2";
  std::vector<ValidationError> errors;
  UnknownFields unknown{.refused = true};
  Parse(CreateDeploymentBody(), body, {"body"}, errors, &unknown);
  std::vector<std::string> told;
  for (const auto& error : errors)
    told.push_back(json::serialize(json::array(error.loc.begin(), error.loc.end())) + " " + error.type + " " +
                   error.msg);
  const std::string no = " extra_forbidden Extra inputs are not permitted";
  EXPECT_THAT(told, ::testing::UnorderedElementsAre(
                        R"(["body","extra"])" + no,  //
                        R"(["body","shedule"])" + no + ": did you mean 'schedule'?",
                        R"(["body","filter_sql"])" + no + ": did you mean 'source.filter_sql'?",
                        R"(["body","source","filtersql"])" + no + ": did you mean 'filter_sql'?",
                        R"(["body","model","modelversion"])" + no + ": did you mean 'model_version'?"));
}

/// What a megabyte of a body can be made to cost: an answer of a bounded size, whatever is wrong with it.
TEST(CreateDeploymentBody, AnswersToLargeBodiesAreSmall) {
  auto many = [](const std::string& item, size_t bytes) {
    std::string text = "[" + item;
    while (text.size() < bytes) text += "," + item;
    return text + "]";
  };
  constexpr size_t kMega = 1'000'000;
  std::string x(kMega, 'x');
  for (const auto& roles :
       {many("1", kMega), many("1", 1900), many("[]", kMega), many("{\"a\":1}", 90'000), "\"" + x + "\""})
    for (const auto& name : {std::string("entity_columns"), std::string("allowed_roles"), std::string("other")}) {
      auto answer = AnswerTo(CreateDeploymentBody(), "{\"" + name + "\": " + roles + "}");
      EXPECT_FALSE(answer.detail.empty());
      EXPECT_LE(answer.detail.size(), kMostErrors + 1);
      EXPECT_LT(json::serialize(answer.detail).size(), size_t{512} << 10) << name << " " << roles.substr(0, 20);
    }
}

TEST(AllowedRolesBody, OfManyErrorsTheFirstAreTold) {
  auto roles = [](size_t count) {
    std::string text = "1";
    for (size_t i = 1; i < count; ++i) text += ",1";
    return AnswerTo(AllowedRolesBody(), "{\"allowed_roles\": [" + text + "]}").detail;
  };
  EXPECT_EQ(roles(100).size(), 100U);
  EXPECT_EQ(roles(100).back().at("type"), "string_type");
  EXPECT_EQ(roles(1000).size(), 101U);
  EXPECT_EQ(roles(1000).back().at("type"), "too_many_errors");
  ASSERT_EQ(roles(1001).size(), 1U);
  EXPECT_EQ(roles(1001).front().at("type"), "too_long");
}

TEST(AllowedRolesBody, TextsHaveALimit) {
  auto roles = [](size_t size) {
    return AnswerTo(AllowedRolesBody(), "{\"allowed_roles\": [\"" + std::string(size, 'x') + "\"]}").detail;
  };
  EXPECT_TRUE(roles(255).empty());
  ASSERT_EQ(roles(256).size(), 1U);
  EXPECT_EQ(roles(256).front().at("type"), "string_too_long");
}

TEST(Shortened, KeepsWhatIsShort) {
  auto value = ParseJson(R"({"a": [1, "é", null, {"b": true}], "c": ""})").value();
  EXPECT_EQ(Shortened(value), value);
}

TEST(Shortened, CutsTextsAtACharacter) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "é";
  auto shortened = Shortened(json::value(text));
  std::string_view cut = shortened.get_string();
  ASSERT_TRUE(cut.ends_with("…"));
  cut.remove_suffix(std::string_view("…").size());
  EXPECT_EQ(cut.size() % 2, 0U);
  EXPECT_TRUE(text.starts_with(cut));
}

TEST(ParseJsonText, ValuesHaveALimit) {
  std::string text = "[1";
  for (int i = 0; i < 100'000; ++i) text += ",1";
  auto read = ParseJsonText(text + "]");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message, "Too many values");
}

TEST(ParseJsonText, RefusesTheNullCharacter) {
  for (const auto* text : {R"(["a\u0000b"])", R"({"a\u0000": 1})"}) {
    auto read = ParseJsonText(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().message, "U+0000 is not allowed");
    EXPECT_EQ(read.error().position, 3U);
  }
  EXPECT_TRUE(ParseJsonText(R"(["\u0001"])"));
}

TEST(ParseJsonText, NestingHasALimit) {
  EXPECT_TRUE(ParseJsonText(std::string(100, '[') + std::string(100, ']')));
  EXPECT_FALSE(ParseJsonText(std::string(102, '[') + std::string(102, ']')));
  EXPECT_FALSE(ParseJsonText(std::string(100'000, '[')));
}

TEST(ParseJsonText, NumbersThatJsonDoesNotHaveArePythons) {
  EXPECT_TRUE(ParseJsonText("[NaN, Infinity, -Infinity]"));
  EXPECT_FALSE(ParseJsonText("[nan]"));
  EXPECT_EQ(ParseJsonText("9223372036854775807")->as_int64(), INT64_MAX);
  EXPECT_TRUE(ParseJsonText("9223372036854775808").has_value());
}

}  // namespace
}  // namespace slipway::contract
