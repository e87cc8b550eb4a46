#include "scoring/rerun.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <gtest/gtest.h>

#include <map>

#include "base/ids.h"
#include "iceberg/commit.h"
#include "iceberg/scan_reader.h"
#include "scoring/run.h"
#include "scoring/small_lake.h"

namespace slipway::scoring {
namespace {

using std::chrono::hours;

RunOutcome RunIn(const SmallLake& lake, const Job& job) {
  auto sources = lake.Open();
  auto done = scoring::Run(job, sources, SystemClock(), [](const Event&) {}, {});
  EXPECT_TRUE(done) << done.error().message;
  return done ? *done : RunOutcome{};
}

/// Rows of `ml.p` by deployment and logical date: "m/a 06" → 10.
std::map<std::string, int> RowsIn(const SmallLake& lake) {
  auto table = lake.OpenCatalog()->Load({"ml", "p"}).value();
  auto plan = iceberg::PlanScan(table, std::nullopt, iceberg::Predicate::Always()).value();
  const auto& schema = table.metadata.schema;
  auto reader =
      iceberg::ScanReader::Start(table, plan, {*schema.Find("deployment"), *schema.Find("scored_at")}, {}).value();
  std::map<std::string, int> rows;
  while (true) {
    auto batch = reader->Next();
    EXPECT_TRUE(batch) << batch.error().message;
    if (!batch || *batch == nullptr) return rows;
    for (int64_t row = 0; row < (*batch)->num_rows(); ++row) {
      auto whose = iceberg::LiteralAt(*(*batch)->column(0), row).value();
      auto at = std::get<int64_t>(iceberg::LiteralAt(*(*batch)->column(1), row).value());
      auto hour = FormatTimestamp(Timestamp{std::chrono::microseconds{at}}).substr(11, 2);
      ++rows[(iceberg::IsNull(whose) ? "nobody" : std::get<std::string>(whose)) + " " + hour];
    }
  }
}

/// The data files that `ml.p` has now.
std::set<std::string> FilesOfTarget(const SmallLake& lake) {
  auto table = lake.OpenCatalog()->Load({"ml", "p"}).value();
  std::set<std::string> files;
  auto plan = iceberg::PlanScan(table, std::nullopt, iceberg::Predicate::Always()).value();
  for (const auto& file : plan.files) files.insert(file.file_path);
  return files;
}

struct Rerun : testing::Test {
  SmallLake lake;
  Job Of(const std::string& deployment, RerunBehavior rerun = RerunBehavior::kOverwritePartition) const {
    auto job = lake.NewJob(rerun);
    job.deployment = deployment;
    return job;
  }
  /// `ml.p` as an earlier version has made it.
  void OldTarget() const {
    auto catalog = lake.OpenCatalog();
    iceberg::Schema schema;
    schema.fields = {{1, "id", false, {iceberg::TypeId::kLong}},
                     {2, "prediction", false, {iceberg::TypeId::kDouble}},
                     {3, "scored_at", false, {iceberg::TypeId::kTimestamptz}},
                     {4, "model_name", false, {iceberg::TypeId::kString}},
                     {5, "model_version", false, {iceberg::TypeId::kString}},
                     {6, "run_id", false, {iceberg::TypeId::kString}}};
    auto table = catalog->Stage({"ml", "p"}, iceberg::NewMetadata("", schema, {}, 0).value()).value();
    iceberg::SnapshotUpdate update{.run_id = NewUuid()};
    update.added_files = [](const iceberg::Table&) { return std::vector<iceberg::DataFile>(); };
    ASSERT_TRUE(iceberg::Commit(*catalog, table, update, SystemClock()));
  }
  Job Hourly(const std::string& deployment, int hour, RerunBehavior rerun = RerunBehavior::kOverwritePartition) const {
    auto job = Of(deployment, rerun);
    job.logical_date = job.window.from + hours{hour};
    job.window = Interval(job.logical_date, job.logical_date + hours{1});
    return job;
  }
};

using Rows = std::map<std::string, int>;

TEST_F(Rerun, ReplacesTheRowsOfItsDeploymentAlone) {
  RunIn(lake, Of("m/champion"));
  RunIn(lake, Of("m/challenger"));
  EXPECT_EQ(RowsIn(lake), (Rows{{"m/champion 06", 10}, {"m/challenger 06", 10}}));
  auto job = Of("m/challenger");
  job.work.source.filter_sql = "id < 3";
  RunIn(lake, job);
  EXPECT_EQ(RowsIn(lake), (Rows{{"m/champion 06", 10}, {"m/challenger 06", 3}}));
  job.work.source.filter_sql = "id < 0";
  job.run_id = NewUuid();
  RunIn(lake, job);
  EXPECT_EQ(RowsIn(lake), (Rows{{"m/champion 06", 10}})) << "also by no rows";
}

// By statistics: names that begin alike for longer than the sixteen characters that bounds of texts mostly have.
TEST_F(Rerun, NoFileOfAnotherDeploymentIsReadOrWrittenAnew) {
  const std::string champion = "churn-of-the-customers/champion", challenger = "churn-of-the-customers/challenger";
  RunIn(lake, Of(champion));
  auto theirs = FilesOfTarget(lake);
  RunIn(lake, Of(challenger));
  for (const auto& file : theirs)
    std::filesystem::resize_file(std::string_view(file).substr(file.find('/')), 4);  // nothing can be read of it
  RunIn(lake, Of(challenger));
  auto now = FilesOfTarget(lake);
  for (const auto& file : theirs) EXPECT_TRUE(now.contains(file)) << file;
  EXPECT_EQ(now.size(), 2 * theirs.size());
  RunIn(lake, Of(champion));
  for (const auto& file : theirs) EXPECT_FALSE(FilesOfTarget(lake).contains(file)) << "dropped as a whole";
}

TEST_F(Rerun, EachTickKeepsItsRows) {
  for (int hour = 0; hour < 6; ++hour) RunIn(lake, Hourly("m/d", hour));
  EXPECT_EQ(RowsIn(lake).size(), 6U);
  auto table = lake.OpenCatalog()->Load({"ml", "p"}).value();
  EXPECT_EQ(ToString(table.metadata.DefaultSpec().fields.at(0).transform), "hour");
  auto again = Hourly("m/d", 3);
  again.work.source.filter_sql = "id < 4";
  RunIn(lake, again);
  auto rows = RowsIn(lake);
  EXPECT_EQ(rows["m/d 03"], 4);
  EXPECT_EQ(rows["m/d 02"], 10);
  EXPECT_EQ(rows["m/d 04"], 10);
}

TEST_F(Rerun, ADailyAndAnHourlyDeploymentShareATarget) {
  RunIn(lake, Of("m/daily"));
  for (int hour : {5, 6, 7}) RunIn(lake, Hourly("m/hourly", hour));
  RunIn(lake, Of("m/daily"));
  EXPECT_EQ(RowsIn(lake), (Rows{{"m/daily 06", 10}, {"m/hourly 05", 10}, {"m/hourly 06", 10}, {"m/hourly 07", 10}}));
}

TEST_F(Rerun, KeysOfAnotherDeploymentOrWindowAreNoRivals) {
  constexpr auto kAppend = RerunBehavior::kAppendDedup;
  auto some = Of("m/a", kAppend);
  some.work.source.filter_sql = "id < 4";
  RunIn(lake, some);
  RunIn(lake, Of("m/b", kAppend));
  EXPECT_EQ(RowsIn(lake), (Rows{{"m/a 06", 4}, {"m/b 06", 10}}));
  EXPECT_EQ(RunIn(lake, Of("m/a", kAppend)).rows, 6);
  EXPECT_EQ(RunIn(lake, Of("m/b", kAppend)).rows, 0);
  EXPECT_EQ(RowsIn(lake), (Rows{{"m/a 06", 10}, {"m/b 06", 10}}));
  EXPECT_EQ(RunIn(lake, Hourly("m/a", 7, kAppend)).rows, 10) << "another window";
}

TEST_F(Rerun, ByAColumnItIsItsOwnRowsOfTheSameValues) {
  auto by_id = [&](const std::string& deployment) {
    auto job = Of(deployment);
    job.work.partition_column = "id";
    return job;
  };
  RunIn(lake, by_id("m/a"));
  RunIn(lake, by_id("m/b"));
  auto again = by_id("m/a");
  again.logical_date += hours{1};
  again.work.source.filter_sql = "id < 3";
  RunIn(lake, again);
  EXPECT_EQ(RowsIn(lake), (Rows{{"m/a 06", 7}, {"m/a 07", 3}, {"m/b 06", 10}}));
}

// Such rows are of before the table had the column.
TEST_F(Rerun, RowsThatNameNobodyAreReplacedByWhoeverRunsThere) {
  RunIn(lake, Of("m/a"));
  auto catalog = lake.OpenCatalog();
  auto table = catalog->Load({"ml", "p"}).value();
  Plan plan;
  plan.target = table;
  plan.partition_field_id = table.metadata.schema.Find("scored_at")->id;
  const auto* field = table.metadata.schema.Find("deployment");
  plan.output.push_back({*field, OutputColumn::From::kDeployment, ""});
  auto job = Of("m/a");
  auto rows = ReplacedRows(plan, job, {}).value();
  auto replaced = [&](iceberg::Literal whose, Timestamp at) {
    return iceberg::Matches(rows, [&](int id) {
      return id == field->id ? whose : iceberg::Literal(int64_t{at.time_since_epoch().count()});
    });
  };
  EXPECT_TRUE(replaced(iceberg::Literal(std::string("m/a")), job.logical_date));
  EXPECT_TRUE(replaced({}, job.logical_date));
  EXPECT_FALSE(replaced(iceberg::Literal(std::string("m/b")), job.logical_date));
  EXPECT_FALSE(replaced({}, job.window.to));
  plan.output.clear();
  rows = ReplacedRows(plan, job, {}).value();
  EXPECT_TRUE(replaced(iceberg::Literal(std::string("m/b")), job.logical_date)) << "without the column: everything";
}

TEST_F(Rerun, InATableWithoutTheColumnEverythingOfTheWindowIsReplaced) {
  OldTarget();
  RunIn(lake, Of("m/a"));
  RunIn(lake, Of("m/b"));
  EXPECT_EQ(lake.TargetIds().size(), 10U) << "as it always was";
}

TEST_F(Rerun, ATableWithoutTheColumnThatWasToHaveItIsLeftAlone) {
  OldTarget();
  RunIn(lake, Of("m/a"));
  auto job = Of("m/b");
  job.work.own_rows = true;
  auto sources = lake.Open();
  auto done = scoring::Run(job, sources, SystemClock(), [](const Event&) {}, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kInvalid) << "trying again changes nothing";
  EXPECT_NE(done.error().message.find("the target ml.p has no column 'deployment'"), std::string::npos)
      << done.error().message;
  EXPECT_EQ(lake.DataFilesOf(job.run_id), 0);
  job.work.rerun_behavior = RerunBehavior::kAppendDedup;
  EXPECT_EQ(RunIn(lake, job).rows, 0) << "it replaces nothing; the keys are there";
}

}  // namespace
}  // namespace slipway::scoring
