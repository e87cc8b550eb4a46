#include "scoring/run_parts.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <cmath>
#include <thread>

#include "scoring/run.h"
#include "scoring/run_parts_json.h"
#include "scoring/small_lake.h"

namespace slipway::scoring {
namespace {

const std::vector<int64_t> kAllIds{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

/// As in a process of its own: what was prepared comes from its JSON, and all places are opened anew.
Result<PartResult> Elsewhere(const SmallLake& lake, const Job& job, const Prepared& prepared, int64_t part) {
  auto read = ParsePrepared(ToText(prepared));
  EXPECT_TRUE(read) << read.error().message;
  auto sources = lake.Open();
  ASSIGN(auto result, ScorePart(job, *read, part, sources, SystemClock(), [](const Event&) {}, {}));
  return ParsePartResult(ToText(result));
}

Result<RunOutcome> FinishElsewhere(const SmallLake& lake, const Job& job, const Prepared& prepared,
                                   const std::vector<PartResult>& results) {
  auto read = ParsePrepared(ToText(prepared));
  EXPECT_TRUE(read) << read.error().message;
  auto sources = lake.Open();
  return Finish(job, *read, results, sources, SystemClock(), {});
}

Prepared PrepareIn(const SmallLake& lake, const Job& job, const PartSize& size) {
  auto sources = lake.Open();
  auto prepared = Prepare(job, sources, SystemClock(), size);
  EXPECT_TRUE(prepared) << prepared.error().message;
  return *prepared;
}

TEST(RunParts, EachPartInAProcessOfItsOwn) {
  SmallLake lake;
  for (const auto* partition : {"scored_at", "id"}) {
    auto job = lake.NewJob();
    job.work.partition_column = partition;
    auto prepared = PrepareIn(lake, job, {.parts = 2});
    ASSERT_EQ(prepared.parts.size(), 2U);
    std::vector<PartResult> results;
    for (int64_t part : {1, 0}) {
      auto result = Elsewhere(lake, job, prepared, part);
      ASSERT_TRUE(result) << result.error().message;
      results.push_back(std::move(*result));
    }
    auto done = FinishElsewhere(lake, job, prepared, results);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->rows, SmallLake::kRows);
    EXPECT_EQ(lake.TargetIds(), kAllIds) << "what was there is replaced, whichever part wrote it";
    EXPECT_EQ(lake.CommitsOf(job.run_id), 1);
  }
}

TEST(RunParts, APartDoneTwiceAndAFinishDoneTwiceHarmNothing) {
  SmallLake lake;
  auto job = lake.NewJob();
  auto prepared = PrepareIn(lake, job, {.parts = 2});
  auto first = Elsewhere(lake, job, prepared, 0), second = Elsewhere(lake, job, prepared, 1);
  std::optional<Result<PartResult>> again, at_once;
  {
    std::jthread one([&] { again = Elsewhere(lake, job, prepared, 1); });
    std::jthread other([&] { at_once = Elsewhere(lake, job, prepared, 1); });
  }
  ASSERT_TRUE(first && second && *again && *at_once);
  auto done = FinishElsewhere(lake, job, prepared, {*first, **at_once});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_FALSE(done->already_committed);
  auto twice = FinishElsewhere(lake, job, prepared, {*first, *second});
  ASSERT_TRUE(twice) << twice.error().message;
  EXPECT_TRUE(twice->already_committed);
  EXPECT_EQ(twice->snapshot_id, done->snapshot_id);
  EXPECT_EQ(lake.TargetIds(), kAllIds);
  EXPECT_EQ(lake.DataFilesOf(job.run_id), 2) << "what the others have made is gone, what the table names is there";
}

TEST(RunParts, WhatDoesNotFitIsRefusedByName) {
  SmallLake lake;
  auto job = lake.NewJob(), other = lake.NewJob();
  auto prepared = PrepareIn(lake, job, {.parts = 2}), theirs = PrepareIn(lake, job, {.parts = 2});
  auto first = Elsewhere(lake, job, prepared, 0), second = Elsewhere(lake, job, prepared, 1);
  auto stranger = Elsewhere(lake, job, theirs, 1);
  ASSERT_TRUE(first && second && stranger);
  auto refused = [&](const std::vector<PartResult>& results, std::string_view words) {
    auto done = FinishElsewhere(lake, job, prepared, results);
    ASSERT_FALSE(done) << words;
    EXPECT_EQ(done.error().kind, ErrorKind::kInvalid);
    EXPECT_NE(done.error().message.find(words), std::string::npos) << done.error().message;
  };
  refused({*first, *stranger}, "part 1 is of another preparation");
  refused({*first}, "part 1 is missing");
  refused({*first, *first}, "two results of part 0");
  auto far = *second;
  far.part = 2;
  refused({*first, far}, "has 2 parts");
  auto wrong_job = Elsewhere(lake, other, prepared, 0);
  ASSERT_FALSE(wrong_job);
  EXPECT_NE(wrong_job.error().message.find("prepared for another job"), std::string::npos);
  auto no_part = Elsewhere(lake, job, prepared, 2);
  ASSERT_FALSE(no_part);
  EXPECT_NE(no_part.error().message.find("there is no part 2"), std::string::npos);
  EXPECT_TRUE(lake.TargetIds().empty());
}

TEST(RunParts, AppendDedupWantsOnePart) {
  SmallLake lake;
  auto job = lake.NewJob(RerunBehavior::kAppendDedup);
  auto sources = lake.Open();
  auto refused = Prepare(job, sources, SystemClock(), {.parts = 2});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(refused.error().message.find("append_dedup"), std::string::npos);
  auto prepared = PrepareIn(lake, job, {});
  auto result = Elsewhere(lake, job, prepared, 0);
  ASSERT_TRUE(result) << result.error().message;
  // Another writer adds some of the same keys to the day meanwhile.
  auto theirs = lake.NewJob(RerunBehavior::kAppendDedup);
  theirs.work.source.filter_sql = "id < 4";
  auto done = scoring::Run(theirs, sources, SystemClock(), [](const Event&) {}, {});
  ASSERT_TRUE(done) << done.error().message;
  auto finished = FinishElsewhere(lake, job, prepared, {*result});
  ASSERT_TRUE(finished) << finished.error().message;
  EXPECT_EQ(lake.TargetIds(), kAllIds);
}

TEST(RunParts, TheCutIsOfWholeFilesAndCoversTheScan) {
  SmallLake lake;
  auto job = lake.NewJob();
  for (auto [size, parts] : {std::pair{PartSize{}, 1},
                             {PartSize{.parts = 2}, 2},
                             {PartSize{.parts = 9}, 2},
                             {PartSize{.rows = 5}, 2},
                             {PartSize{.rows = 6}, 1},
                             {PartSize{.rows = 1}, 2}}) {
    auto prepared = PrepareIn(lake, job, size);
    EXPECT_EQ(std::ssize(prepared.parts), parts);
    int64_t rows = 0;
    for (const auto& part : prepared.parts) rows += part.rows;
    EXPECT_EQ(rows, SmallLake::kRows);
  }
  job.work.source.filter_sql = "id > 100";
  EXPECT_EQ(PrepareIn(lake, job, {.parts = 4}).parts.size(), 1U) << "one part, of nothing";
}

TEST(RunParts, WhatIsWrittenSaysTheSameWhenItIsReadAgain) {
  SmallLake lake;
  auto job = lake.NewJob();
  job.work.partition_column = "id";
  auto prepared = PrepareIn(lake, job, {.parts = 2});
  auto text = ToText(prepared);
  auto again = ParsePrepared(text);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(ToText(*again), text);
  auto result = Elsewhere(lake, job, prepared, 0);
  ASSERT_TRUE(result) << result.error().message;
  result->replaced.values = {iceberg::Literal(std::nan("")), iceberg::Literal(-0.0), iceberg::Literal(true),
                             iceberg::Literal(std::string("\0\xff", 2)), iceberg::Literal(std::string())};
  result->replaced.null = true;
  auto written = ToText(*result);
  auto read = ParsePartResult(written);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(ToText(*read), written);
  EXPECT_EQ(read->files.front().lower_bounds, result->files.front().lower_bounds);
  EXPECT_EQ(std::get<std::string>(read->replaced.values[3]).size(), 2U);
}

TEST(RunParts, ADamagedFileIsNamed) {
  SmallLake lake;
  auto text = ToText(PrepareIn(lake, lake.NewJob(), {}));
  auto invalid = [](auto parse, std::string_view json, std::string_view words) {
    auto parsed = parse(json);
    ASSERT_FALSE(parsed) << json;
    EXPECT_EQ(parsed.error().kind, ErrorKind::kInvalid) << parsed.error().message;
    EXPECT_NE(parsed.error().message.find(words), std::string::npos) << parsed.error().message;
  };
  invalid(ParsePrepared, text.substr(0, text.size() / 2), "JSON");
  invalid(ParsePrepared, R"({"kind":"part","version":1})", "this is a 'part'");
  invalid(ParsePrepared, R"({"kind":"prepared","version":2})", "version 2");
  invalid(ParsePartResult, R"({"kind":"part","version":1,"prepared":"x","part":0,"files":[{}]})", "file_path");
  invalid(ParsePartResult,
          R"({"kind":"part","version":1,"prepared":"x","part":0,"files":[],"replaced":{"null":false,"values":[{}]}})",
          "double");
  invalid(ParsePartResult, "[]", "not a JSON object");
}

// An older program with a newer server: it must not take a behaviour that it does not know for the destructive one.
TEST(Job, AnUnknownRerunBehaviorIsAnError) {
  SmallLake lake;
  auto text = boost::json::serialize(ToJson(lake.NewJob()));
  ASSERT_TRUE(ParseJob(text));
  constexpr std::string_view kKnown = "overwrite_partition";
  text.replace(text.find(kKnown), kKnown.size(), "merge");
  auto job = ParseJob(text);
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(job.error().message.find("'merge'"), std::string::npos) << job.error().message;
}

TEST(Job, IsMadeOfADeploymentAndWhatNamesARun) {
  SmallLake lake;
  auto job = lake.NewJob();
  boost::json::object deployment{
      {"model", "m"}, {"name", "d"}, {"work", ToJson(job.work)}, {"places", ToJson(job.places)}, {"cron", nullptr}};
  auto made = MakeJob(boost::json::serialize(deployment), job.run_id, job.logical_date, job.window, 3);
  ASSERT_TRUE(made) << made.error().message;
  job.attempt = 3;
  EXPECT_EQ(boost::json::serialize(ToJson(*made)), boost::json::serialize(ToJson(job)));
  EXPECT_FALSE(MakeJob(boost::json::serialize(deployment), "7", job.logical_date, job.window, 1));
  deployment.erase("work");
  EXPECT_FALSE(MakeJob(boost::json::serialize(deployment), job.run_id, job.logical_date, job.window, 1));
}

}  // namespace
}  // namespace slipway::scoring
