#include "scoring/job.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "base/json.h"

namespace slipway::scoring {
namespace {

constexpr std::string_view kJob = R"({
  "version": 3, "run_id": "f79c3e09-677c-4bbd-a479-3f349cb785e7", "deployment": "churn/daily",
  "logical_date": "2024-01-31T06:00:00Z", "attempt": 2,
  "window": {"from": "2024-01-31T06:00:00Z", "to": "2024-01-31T18:00:00Z", "finer_than_a_day": true},
  "work": {"model": {"name": "churn", "version": null, "alias": "champion"},
           "source": {"schema": "crm", "table": "customers", "catalog": "iceberg", "filter_sql": "a > 1", "snapshot_id": 7},
           "target": {"schema": "ml", "table": "scores", "catalog": "other"},
           "entity_columns": ["id", "é"], "rerun_behavior": "append_dedup", "partition_column": "region",
           "own_rows": true},
  "places": {"catalogs": [{"name": "iceberg", "kind": "rest", "uri": "http://h", "warehouse": "w",
                            "allowed_prefixes": ["s3://a/b", "file:///c"], "limits": {"manifests": 7}}],
             "registry": "/models", "model_cache": "/cache"},
  "limits": {"seconds": 60, "memory_mib": 512}})";

json::object Object() { return ParseJson(kJob).value().as_object(); }
Result<Job> Parsed(const json::object& object) { return ParseJob(json::serialize(object)); }

TEST(Job, IsReadAsItWasWritten) {
  auto job = ParseJob(kJob);
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_EQ(job->run_id, "f79c3e09-677c-4bbd-a479-3f349cb785e7");
  EXPECT_EQ(FormatTimestamp(job->logical_date), "2024-01-31T06:00:00Z");
  EXPECT_EQ(job->attempt, 2);
  EXPECT_EQ(job->window, Interval(job->logical_date, job->logical_date + std::chrono::hours{12}));
  EXPECT_EQ(job->work.own_rows, true);
  EXPECT_EQ(job->work.model.alias, "champion");
  EXPECT_EQ(job->work.model.version, std::nullopt);
  EXPECT_EQ(job->work.source.snapshot_id, 7);
  EXPECT_EQ(job->work.target.catalog, "other");
  EXPECT_EQ(job->work.entity_columns, (std::vector<std::string>{"id", "é"}));
  EXPECT_EQ(job->work.rerun_behavior, RerunBehavior::kAppendDedup);
  EXPECT_EQ(job->places.catalogs[0].kind, "rest");
  EXPECT_EQ(job->places.catalogs[0].allowed_prefixes, (std::vector<std::string>{"s3://a/b", "file:///c"}));
  EXPECT_EQ(job->places.catalogs[0].limits.manifests, 7);
  EXPECT_EQ(job->places.catalogs[0].limits.data_files, iceberg::TableLimits().data_files);
  EXPECT_EQ(job->limits.seconds, 60);
  EXPECT_EQ(job->limits.memory_mib, 512);
  auto again = ParseJob(json::serialize(ToJson(*job)));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(json::value(ToJson(*again)), json::value(ToJson(*job)));
}

TEST(Job, WhatIsLeftOutHasItsDefault) {
  auto object = Object();
  object.erase("attempt");
  auto& work = object.at("work").as_object();
  work.erase("rerun_behavior");
  work.erase("partition_column");
  work.erase("own_rows");
  work.at("source").as_object() = {{"schema", "crm"}, {"table", "customers"}};
  auto job = Parsed(object);
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_EQ(job->attempt, 1);
  EXPECT_EQ(job->work.rerun_behavior, RerunBehavior::kOverwritePartition);
  EXPECT_EQ(job->work.partition_column, "scored_at");
  EXPECT_EQ(job->work.own_rows, std::nullopt);
  EXPECT_EQ(job->work.source.catalog, "iceberg");
  EXPECT_EQ(job->work.source.filter_sql, std::nullopt);
}

TEST(Job, AnUnknownRerunBehaviorIsAnError) {
  for (const auto* behavior : {"overwrite", "append", "", "OVERWRITE_PARTITION", "overwrite_everything"}) {
    auto object = Object();
    object.at("work").as_object()["rerun_behavior"] = behavior;
    auto job = Parsed(object);
    ASSERT_FALSE(job) << behavior;
    EXPECT_EQ(job.error().kind, ErrorKind::kInvalid);
  }
}

// As a server of the version before has queued it, or an Airflow worker has it in its folder.
TEST(Job, AnOldJobStandsForItsDay) {
  auto object = Object();
  object["version"] = 2;
  object.erase("window");
  auto job = Parsed(object);
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_EQ(job->window, DayOf(job->logical_date));
  EXPECT_EQ(FormatTimestamp(job->window.from), "2024-01-31T00:00:00Z");
  EXPECT_EQ(FormatTimestamp(job->window.to), "2024-02-01T00:00:00Z");
  EXPECT_FALSE(job->window.finer_than_a_day);
}

TEST(Job, TheLastDayThatCanBeWrittenIsOne) {
  auto object = Object();
  object["version"] = 2;
  object["logical_date"] = "9999-12-31T06:00:00Z";
  auto job = Parsed(object);
  ASSERT_TRUE(job) << job.error().message;
  auto again = Parsed(ToJson(*job));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->window, job->window);
}

TEST(Job, AWindowWithoutTheLogicalDateIsRefused) {
  auto object = Object();
  object["logical_date"] = "2024-01-31T19:00:00Z";
  auto job = Parsed(object);
  ASSERT_FALSE(job);
  EXPECT_EQ(job.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(job.error().message.find("window: the logical date 2024-01-31T19:00:00Z lies outside"), std::string::npos)
      << job.error().message;
}

TEST(Job, AnotherVersionIsRefusedByNumber) {
  for (int version : {0, 1, 99}) {
    auto object = Object();
    object["version"] = version;
    auto job = Parsed(object);
    ASSERT_FALSE(job) << version;
    EXPECT_EQ(job.error().kind, ErrorKind::kInvalid);
    EXPECT_NE(job.error().message.find(std::to_string(version)), std::string::npos) << job.error().message;
  }
}

TEST(Job, WhatIsMissingOrWrongIsNamed) {
  for (const auto* key : {"version", "run_id", "logical_date", "window", "work", "places"}) {
    auto object = Object();
    object.erase(key);
    auto job = Parsed(object);
    ASSERT_FALSE(job) << key;
    EXPECT_NE(job.error().message.find(key), std::string::npos) << job.error().message;
  }
  for (const auto* key : {"model", "source", "target", "entity_columns"}) {
    auto object = Object();
    object.at("work").as_object().erase(key);
    auto job = Parsed(object);
    ASSERT_FALSE(job) << key;
    EXPECT_NE(job.error().message.find(key), std::string::npos) << job.error().message;
  }
  auto object = Object();
  object["run_id"] = "../../etc";
  EXPECT_FALSE(Parsed(object));
  object = Object();
  object["logical_date"] = "yesterday";
  EXPECT_FALSE(Parsed(object));
  EXPECT_FALSE(ParseJob(""));
  EXPECT_FALSE(ParseJob("[]"));
  EXPECT_FALSE(ParseJob(kJob.substr(0, kJob.size() / 2)));
}

}  // namespace
}  // namespace slipway::scoring
