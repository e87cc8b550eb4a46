#include "access/rules.h"

#include <gtest/gtest.h>

#include <string>

namespace slipway::access {
namespace {

TEST(NamesTable, StarsStayWithinOnePart) {
  struct Case {
    const char *pattern, *catalog, *schema, *table;
    bool named;
  };
  for (const auto& c : std::initializer_list<Case>{
           {"lake.risk.scores", "lake", "risk", "scores", true},
           {"lake.risk.scores", "lake", "risk", "scores2", false},
           {"lake.risk.scores", "lake", "Risk", "scores", false},
           {"lake.risk.*", "lake", "risk", "anything", true},
           {"lake.risk.*", "lake", "risk", "with.dots", true},  // a table's name is one part
           {"lake.risk.*", "lake", "risk2", "t", false},
           {"lake.risk.*", "lake", "risk.eu", "t", false},
           {"lake.risk.*", "other", "risk", "t", false},
           {"lake.risk.eu.*", "lake", "risk.eu", "t", true},
           {"lake.risk.eu.*", "lake", "risk", "eu.t", false},
           {"lake.risk*.s_*_v2", "lake", "risk_eu", "s_a_b_v2", true},
           {"lake.risk*.t", "lake", "risk.eu", "t", false},
           {"lake.*.t", "lake", "", "t", true},
           {"lake.risk.**", "lake", "risk", "t", true},
           {"lake.risk.**", "lake", "risk.eu.fr", "t", true},
           {"lake.risk.**", "lake", "riskier", "t", false},
           {"lake.risk.**", "lake", "other", "risk", false},
           {"lake.**", "lake", "hr", "salaries", true},
           {"lake.**", "lake2", "hr", "salaries", false},
           {"*.**", "any", "hr", "salaries", true},
       })
    EXPECT_EQ(NamesTable(c.pattern, c.catalog, c.schema, c.table), c.named)
        << c.pattern << " " << c.catalog << " " << c.schema << " " << c.table;
}

TEST(NamesModel, StarsAreAnyCharacters) {
  EXPECT_TRUE(NamesModel("risk-*", "risk-churn.v2"));
  EXPECT_TRUE(NamesModel("*", "anything"));
  EXPECT_TRUE(NamesModel("a*b*c", "a-b-b-c"));
  EXPECT_TRUE(NamesModel("risk-*", "risk-"));
  EXPECT_FALSE(NamesModel("risk-*", "a-risk-churn"));
  EXPECT_FALSE(NamesModel("risk-*", "risk"));
  EXPECT_FALSE(NamesModel("risk", "Risk"));
  EXPECT_FALSE(NamesModel("risk", "risk\n"));
}

TEST(NamesModel, ManyStarsTakeNoTime) {
  std::string pattern, text(10'000, 'a');
  for (int i = 0; i < 300; ++i) pattern += "*a";
  EXPECT_FALSE(NamesModel(pattern + "b", text));
}

TEST(ParseRules, ReadsWhatTheConfigurationHolds) {
  auto rules = ParseRules(R"([{"roles": ["risk"], "tables": ["lake.risk.*", "iceberg.**"], "models": ["risk-*"],
                              "allow": ["read", "write"]}, {"roles": ["*"], "models": ["public"], "allow": ["read"]}])");
  ASSERT_TRUE(rules) << rules.error().message;
  ASSERT_EQ(rules->size(), 2);
  EXPECT_EQ(Describe((*rules)[0], 1),
            "rule 1 (roles risk; tables lake.risk.*, iceberg.**; models risk-*; allow read, write)");
  EXPECT_EQ(CatalogsIn(*rules), (std::set<std::string>{"iceberg", "lake"}));
  EXPECT_TRUE(ParseRules("[]")->empty());
}

TEST(ParseRules, TypingErrorsAreNamed) {
  struct Case {
    const char *text, *told;
  };
  for (const auto& c : std::initializer_list<Case>{
           {R"({})", "[[access.rules]]"},
           {R"([7])", "rule 1"},
           {R"([{"role": ["a"], "tables": ["a.b.c"], "allow": ["read"]}])", "no 'role'"},
           {R"([{"tables": ["a.b.c"], "allow": ["read"]}])", "roles names nobody"},
           {R"([{"roles": "risk", "tables": ["a.b.c"], "allow": ["read"]}])", "roles"},
           {R"([{"roles": ["a", ""], "tables": ["a.b.c"], "allow": ["read"]}])", "empty"},
           {R"([{"roles": ["team-*"], "tables": ["a.b.c"], "allow": ["read"]}])", "* stands alone"},
           {R"([{"roles": ["a"], "allow": ["read"]}])", "neither tables nor models"},
           {R"([{"roles": ["a"], "tables": ["a.b.c"]}])", "allow is missing"},
           {R"([{"roles": ["a"], "tables": ["a.b.c"], "allow": ["wirte"]}])", "no right 'wirte'"},
           {R"([{"roles": ["a"], "models": ["m"], "allow": ["write"]}])", "using one is the right read"},
           {R"([{"roles": ["a"], "tables": ["b.c"], "allow": ["read"]}])", "catalog.schema.table"},
           {R"([{"roles": ["a"], "tables": ["*"], "allow": ["read"]}])", "catalog.schema.table"},
           {R"([{"roles": ["a"], "tables": ["**"], "allow": ["read"]}])", "catalog.schema.table"},
           {R"([{"roles": ["a"], "tables": ["a..c"], "allow": ["read"]}])", "empty"},
           {R"([{"roles": ["a"], "tables": ["a.**.c"], "allow": ["read"]}])", "only be the last part"},
           {R"([{"roles": ["a"], "tables": ["a.b.x**"], "allow": ["read"]}])", "only be the last part"},
           {R"([{"roles": ["a"], "tables": ["a.b/c.d"], "allow": ["read"]}])", "'/'"},
           {R"([{"roles": ["a"], "tables": ["a.b.c"], "allow": ["read"]}, {"roles": []}])", "rule 2"},
       }) {
    auto rules = ParseRules(c.text);
    ASSERT_FALSE(rules) << c.text;
    EXPECT_EQ(rules.error().kind, ErrorKind::kInvalid);
    EXPECT_NE(rules.error().message.find(c.told), std::string::npos) << rules.error().message;
  }
}

}  // namespace
}  // namespace slipway::access
