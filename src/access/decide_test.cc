#include "access/decide.h"

#include <gtest/gtest.h>

namespace slipway::access {
namespace {

const Rules& Some() {
  static const Rules kRules = ParseRules(R"([
      {"roles": ["risk", "fraud"], "tables": ["lake.risk.*"], "models": ["risk-*"], "allow": ["read", "write"]},
      {"roles": ["analyst"], "tables": ["lake.**"], "allow": ["read"]},
      {"roles": ["*"], "models": ["public-*"], "allow": ["read"]}])")
                                  .value();
  return kRules;
}

TEST(Decide, ByRoleRightAndPattern) {
  const auto reads = Use::Reads("lake", "risk", "t"), writes = Use::Writes("lake", "risk", "t"),
             others = Use::Writes("lake", "hr", "t"), salaries = Use::Reads("lake", "hr", "salaries"),
             model = Use::OfModel("risk-churn"), open = Use::OfModel("public-x"), closed = Use::OfModel("hr-x");
  struct Case {
    const char* name;
    Holder who;
    std::vector<Use> allowed, refused;
  };
  for (const auto& c : std::vector<Case>{
           {"nobody's roles", {}, {open}, {reads, writes, others, salaries, model, closed}},
           {"risk", {{"risk"}}, {reads, writes, model, open}, {others, salaries, closed}},
           {"the second role of a rule", {{"x", "fraud"}}, {reads, writes, model}, {others, salaries, closed}},
           {"read everywhere", {{"analyst"}}, {reads, salaries, open}, {writes, others, model, closed}},
           {"two rules together", {{"analyst", "risk"}}, {reads, writes, salaries, model}, {others, closed}},
           {"a role that is called like a pattern", {{"*"}}, {open}, {reads, writes}},
           {"everything", {{}, true}, {reads, writes, others, salaries, model, open, closed}, {}},
       }) {
    for (const auto& use : c.allowed) EXPECT_TRUE(Decide(Some(), c.who, use).allowed) << c.name << " " << NameOf(use);
    for (const auto& use : c.refused) EXPECT_FALSE(Decide(Some(), c.who, use).allowed) << c.name << " " << NameOf(use);
  }
}

TEST(Decide, WithoutRulesOnlyWhoMayTouchEverything) {
  EXPECT_FALSE(Decide({}, {{"risk"}}, Use::Reads("a", "b", "c")).allowed);
  EXPECT_TRUE(Decide({}, {{}, true}, Use::Reads("a", "b", "c")).allowed);
}

TEST(Decide, TellsTheRuleOrWhatIsMissing) {
  EXPECT_EQ(Decide(Some(), {{"analyst"}}, Use::Reads("lake", "hr", "t")).because,
            "rule 2 (roles analyst; tables lake.**; allow read)");
  EXPECT_EQ(Decide(Some(), {{"analyst", "b"}}, Use::Writes("lake", "hr", "t")).because,
            "no rule allows 'write' on the table lake.hr.t to one of the roles analyst, b");
  EXPECT_EQ(Decide(Some(), {}, Use::OfModel("m")).because,
            "no rule allows 'read' on the model m to somebody without roles");
}

TEST(GrantsOf, AreThePatternsOfTheRulesThatAreThereForSomebody) {
  auto told = [](const Holder& who) {
    std::string text;
    for (const auto& grant : GrantsOf(Some(), who))
      text += std::string(ToString(grant.right)) + " " + grant.what + ", " + grant.because.substr(0, 6) + "; ";
    return text;
  };
  EXPECT_EQ(
      told({{"fraud"}}),
      "read the models risk-*, rule 1; read the tables lake.risk.*, rule 1; write the tables lake.risk.*, rule 1; "
      "read the models public-*, rule 3; ");
  EXPECT_EQ(told({}), "read the models public-*, rule 3; ");
  EXPECT_EQ(told({{}, true}), "read everything, the ad; write everything, the ad; ");
}

TEST(Missing, NamesEachThingAndRight) {
  std::vector<Use> uses{Use::OfModel("risk-m"), Use::Reads("lake", "hr", "salaries"), Use::Writes("lake", "pub", "p")};
  EXPECT_EQ(Missing(Some(), {{"risk"}}, uses),
            "'read' on the table lake.hr.salaries, and 'write' on the table lake.pub.p");
  EXPECT_EQ(Missing(Some(), {{}, true}, uses), std::nullopt);
}

}  // namespace
}  // namespace slipway::access
