#include "scoring/job.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "base/json.h"

namespace slipway::scoring {
namespace {

constexpr std::string_view kJob = R"({
  "version": 2, "run_id": "f79c3e09-677c-4bbd-a479-3f349cb785e7", "deployment": "churn/daily",
  "logical_date": "2024-01-31T06:00:00Z", "attempt": 2,
  "work": {"model": {"name": "churn", "version": null, "alias": "champion"},
           "source": {"schema": "crm", "table": "customers", "catalog": "iceberg", "filter_sql": "a > 1", "snapshot_id": 7},
           "target": {"schema": "ml", "table": "scores", "catalog": "other"},
           "entity_columns": ["id", "é"], "rerun_behavior": "append_dedup", "partition_column": "region"},
  "places": {"catalogs": [{"name": "iceberg", "kind": "rest", "uri": "http://h", "warehouse": "w"}],
             "registry": "/models", "model_cache": "/cache"}})";

json::object Object() { return ParseJson(kJob).value().as_object(); }
Result<Job> Parsed(const json::object& object) { return ParseJob(json::serialize(object)); }

TEST(Job, IsReadAsItWasWritten) {
  auto job = ParseJob(kJob);
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_EQ(job->run_id, "f79c3e09-677c-4bbd-a479-3f349cb785e7");
  EXPECT_EQ(FormatTimestamp(job->logical_date), "2024-01-31T06:00:00Z");
  EXPECT_EQ(job->attempt, 2);
  EXPECT_EQ(job->work.model.alias, "champion");
  EXPECT_EQ(job->work.model.version, std::nullopt);
  EXPECT_EQ(job->work.source.snapshot_id, 7);
  EXPECT_EQ(job->work.target.catalog, "other");
  EXPECT_EQ(job->work.entity_columns, (std::vector<std::string>{"id", "é"}));
  EXPECT_EQ(job->work.rerun_behavior, RerunBehavior::kAppendDedup);
  EXPECT_EQ(job->places.catalogs[0].kind, "rest");
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
  work.at("source").as_object() = {{"schema", "crm"}, {"table", "customers"}};
  auto job = Parsed(object);
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_EQ(job->attempt, 1);
  EXPECT_EQ(job->work.rerun_behavior, RerunBehavior::kOverwritePartition);
  EXPECT_EQ(job->work.partition_column, "scored_at");
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
  for (const auto* key : {"version", "run_id", "logical_date", "work", "places"}) {
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
