#include "contract/deployment_body.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/testing/golden.h"
#include "contract/json_text.h"

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
  std::vector<std::string> ignored;
  auto parsed = Parse(CreateDeploymentBody(), body, {"body"}, errors, &ignored);
  EXPECT_TRUE(errors.empty());
  EXPECT_EQ(ignored, (std::vector<std::string>{"extra", "Name"}));
  EXPECT_FALSE(parsed.contains("extra"));
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
