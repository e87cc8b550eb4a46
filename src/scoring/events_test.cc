#include "scoring/events.h"

#include <gtest/gtest.h>

namespace slipway::scoring {
namespace {

const Event kAll[] = {
    Planned{.rows = 5, .files = 2, .skipped_files = 1, .parts = 3, .model_version = "7"},
    Progress{.read = 4, .scored = 3, .written = 2},
    Stages{.rows = 9, .decode = 0.5, .filter = 0.25, .score = 1.5, .write = 2},
    Committed{
        .rows = 9, .snapshot_id = INT64_MAX, .model_version = "\"7\"\n", .already_committed = true, .peak_kib = 1},
    Committed{.rows = 0, .snapshot_id = 4, .model_version = "1", .left_out = 5},
    Failed{.kind = ErrorKind::kPerhapsCommitted, .message = "lost \xc3\xa9"},
    Failed{.kind = ErrorKind::kTooLarge, .message = "took too much", .cut_off = true},
};

TEST(Events, SayTheSameWhenTheyAreReadAgain) {
  for (const auto& event : kAll) {
    auto line = ToLine(event);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    auto again = ParseEvent(line);
    ASSERT_TRUE(again) << line << ": " << again.error().message;
    EXPECT_TRUE(*again == event) << line;
  }
}

// The lines are read by Airflow's side and by people too.
TEST(Events, LinesAreAsTheyWere) {
  EXPECT_EQ(ToLine(Progress{1, 2, 3}), R"({"event":"progress","read":1,"scored":2,"written":3})");
  EXPECT_EQ(ToLine(Failed{ErrorKind::kNotFound, "no"}), R"({"event":"failed","kind":"not_found","message":"no"})");
  EXPECT_EQ(ToLine(Committed{1, 2, "3", false, 4}),
            R"({"event":"committed","rows":1,"snapshot_id":2,"peak_kib":4,"already_committed":0,"model_version":"3"})");
}

TEST(Events, ALineThatIsNoneIsAnError) {
  for (const auto* line :
       {"", "{", "{}", "[]", "null", "7", "Epoch 1/3", R"({"event":7})", R"({"event":"committed"})",
        R"({"event":"committed","rows":"x","snapshot_id":1,"model_version":"1"})",
        R"({"event":"committed","rows":1,"snapshot_id":1})", R"({"event":"stages","seconds":{"decode":"fast"}})",
        R"({"event":"stages","seconds":7})", R"({"event":"progress","scored":1e99})", R"({"event":"invented"})",
        R"({"event":"failed","kind":[]})", R"({"event":"progress","scored":{"a":{"b":{"c":{"d":1}}}}})"}) {
    auto event = ParseEvent(line);
    EXPECT_FALSE(event) << line;
  }
}

TEST(Events, EveryKindOfErrorComesBack) {
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::kInternal); ++kind) {
    Event event = Failed{static_cast<ErrorKind>(kind), "x"};
    EXPECT_TRUE(ParseEvent(ToLine(event)).value() == event);
  }
  EXPECT_TRUE(ParseEvent(R"({"event":"failed","kind":"newer"})").value() ==
              Event(Failed{ErrorKind::kInternal, "it failed without a message"}));
}

}  // namespace
}  // namespace slipway::scoring
