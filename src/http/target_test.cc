#include "http/target.h"

#include <gmock/gmock.h>

#include "base/testing/golden.h"

namespace slipway::http {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(Target, IsDecoded) {
  auto target = ParseTarget("/api/models/a%20b/x%2Fy?limit=5&q=%C3%A4%26&limit=7&flag").value();
  EXPECT_THAT(target.path, ElementsAre("api", "models", "a b", "x/y"));
  EXPECT_THAT(target.query, ElementsAre(Pair("flag", ""), Pair("limit", "7"), Pair("q", "ä&")));
  for (const char* wrong : {"", "x", "*", "http://x/y", "/%zz", "/%4", "/a b"})
    EXPECT_FALSE(ParseTarget(wrong)) << wrong;
}

class TargetGolden : public ::testing::TestWithParam<testing::GoldenCase> {};

TEST_P(TargetGolden, IsReadAsStarletteReadsIt) {
  auto target = ParseTarget(GetParam().text("target"));
  ASSERT_TRUE(target);
  json::object query;
  for (const auto& [name, value] : target->query)
    if (!name.empty()) query[name] = value;  // of a && or nothing behind the ?: Starlette leaves them out
  EXPECT_EQ(json::value(json::array(target->path.begin(), target->path.end())), GetParam().at("path"));
  EXPECT_EQ(json::value(query), GetParam().at("query"));
}

INSTANTIATE_TEST_SUITE_P(Starlette, TargetGolden, ::testing::ValuesIn(testing::GoldenCases("http/targets.json")),
                         testing::CaseName);

TEST(Fit, NamesPartsOfThePath) {
  EXPECT_THAT(*Fit("/api/models/{model}/deployments/{name}", {"api", "models", "m", "deployments", "d"}),
              ElementsAre(Pair("model", "m"), Pair("name", "d")));
  EXPECT_THAT(*Fit("/run/{name}/{path}", {"run", "d", "a", "b"}), ElementsAre(Pair("name", "d")));
  EXPECT_THAT(*Fit("/docs", {"docs"}), IsEmpty());
  EXPECT_FALSE(Fit("/api/{model}", {"api", ""}));
  EXPECT_FALSE(Fit("/api/{model}", {"api"}));
  EXPECT_FALSE(Fit("/api/{model}", {"api", "m", "more"}));
  EXPECT_FALSE(Fit("/docs", {"doc"}));
}

}  // namespace
}  // namespace slipway::http
