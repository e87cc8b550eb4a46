#include "scoring/plan_json.h"

#include <gtest/gtest.h>

#include "scoring/events.h"

namespace slipway::scoring {
namespace {

TEST(PlanAnswer, SaysTheSameWhenItIsReadAgain) {
  auto planned = ParsePlanned(ToText(PlannedVersion{"7", true})).value().value();
  EXPECT_EQ(planned.model_version, "7");
  EXPECT_TRUE(planned.own_rows);
  PlanAnswer refused = std::unexpected(std::vector<Problem>{{ErrorKind::kNotFound, {"source", "table"}, "no \"table\""},
                                                            {ErrorKind::kTooLarge, {}, "too large"}});
  auto again = ParsePlanned(ToText(refused)).value();
  ASSERT_FALSE(again);
  ASSERT_EQ(again.error().size(), 2);
  EXPECT_EQ(again.error()[0].kind, ErrorKind::kNotFound);
  EXPECT_EQ(again.error()[0].loc, (std::vector<std::string>{"source", "table"}));
  EXPECT_EQ(again.error()[0].message, "no \"table\"");
  EXPECT_EQ(again.error()[1].kind, ErrorKind::kTooLarge);
}

TEST(PlanAnswer, OfAProcessThatEndedItselfIsItsReason) {
  auto ended = ParsePlanned(ToLine(Failed{ErrorKind::kTooLarge, "used 600 MiB", true}));
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind, ErrorKind::kTooLarge);
  EXPECT_EQ(ended.error().message, "used 600 MiB");
}

TEST(PlanAnswer, OfAProcessThatSaidNothingIsAnError) {
  for (const auto* text : {"", "{", "{}", "[]", "7", R"({"problems":7})", R"({"problems":[{}]})"})
    EXPECT_FALSE(ParsePlanned(text)) << text;
}

}  // namespace
}  // namespace slipway::scoring
