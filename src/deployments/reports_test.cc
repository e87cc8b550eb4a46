#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "base/format.h"
#include "base/ids.h"
#include "database/schema.h"
#include "deployments/airflow_names.h"
#include "deployments/lifecycle.h"
#include "deployments/migrations.h"
#include "deployments/test_databases.h"
#include "webhooks/migrations.h"

/// Reports of DAG runs in every order: the records agree with a model of what they may become.
namespace slipway::deployments {
namespace {

using enum RunStatus;
using RunRecord = deployments::Run;  // testing::Test has a Run of its own

/// What the contract says of one run: what is final stays, and a running one is not queued again.
struct Model {
  std::optional<RunStatus> status;
  std::optional<int64_t> rows;
  std::optional<std::string> error;

  void Take(const RunReport& report) {
    if (status && (IsFinal(*status) || (*status == kRunning && report.status == kQueued))) return;
    status = report.status;
    if (report.rows_scored) rows = report.rows_scored;
    if (report.status == kSucceeded)
      error.reset();
    else if (report.error_message)
      error = report.error_message;
  }
};

class Reports {
 public:
  explicit Reports(unsigned seed) : random_(seed) {}

  bool Chance(double p) { return std::bernoulli_distribution(p)(random_); }
  int Number(int least, int most) { return std::uniform_int_distribution(least, most)(random_); }

  /// Reports of one to three runs: repeated, reordered, of a cleared run too, and of runs that nobody knew.
  std::vector<RunReport> Sequence() {
    std::vector<RunReport> reports;
    for (int names = Number(1, 3), i = 0; i < names; ++i) {
      auto name = "dag-" + NewUuid();
      bool named = !Chance(0.6);
      for (int runs = named ? Number(1, 2) : 1, k = 0; k < runs; ++k) Life(name, named, reports);
    }
    auto count = reports.size();
    for (int more = Number(0, 4); count > 0 && more > 0; --more)
      reports.push_back(reports[static_cast<size_t>(Number(0, static_cast<int>(count) - 1))]);
    if (Chance(0.7)) std::ranges::shuffle(reports, random_);
    return reports;
  }

 private:
  void Life(const std::string& name, bool named, std::vector<RunReport>& reports) {
    auto id = named ? std::optional(NewUuid()) : std::nullopt;
    bool succeeds = Chance(0.6);
    RunReport end{.airflow_run_id = name, .status = succeeds ? kSucceeded : kFailed};
    if (succeeds)
      end.rows_scored = Number(0, 99);
    else
      end.error_message = fmt::format("e{}", Number(0, 9));
    RunReport rows{.airflow_run_id = name, .status = kRunning};
    rows.rows_scored = Number(0, 9);
    for (auto report : {RunReport{.airflow_run_id = name, .status = kQueued},
                        RunReport{.airflow_run_id = name, .status = kRunning}, rows, end}) {
      report.run_id = id;
      if (Chance(0.8)) reports.push_back(report);
    }
  }

  std::mt19937 random_;
};

struct ReportsTest : testing::Test {
  ManualClock clock{Timestamp{std::chrono::sys_days{std::chrono::year{2024} / 1 / 1}}};
  TestDatabase database{AllOf(Migrations(), webhooks::Migrations())};
  std::unique_ptr<Store> store = std::make_unique<Store>(*database);
  std::map<std::string, int> told;  ///< how often a run's end was told
  Lifecycle lifecycle{{*store, clock, nullptr, {}, {}, [this](const auto& run, const auto&) { ++told[run.run_id]; }}};
  Deployment deployment;

  void SetUp() override {
    deployment = {.deployment_id = NewUuid(), .model = "m", .name = "d", .status = DeploymentStatus::kActive};
    ASSERT_TRUE(store->CreateDeployment(deployment));
  }
};

TEST_F(ReportsTest, AThousandSequencesAgreeWithTheModel) {
  Reports reports(20261124);
  std::map<std::pair<std::string, std::optional<std::string>>, Model> models;
  for (int i = 0; i < 1000; ++i) {
    for (const auto& report : reports.Sequence()) {
      auto& model = models[{report.airflow_run_id, report.run_id}];
      model.Take(report);
      auto run = lifecycle.Report(deployment, report);
      ASSERT_TRUE(run) << run.error().message;
      EXPECT_EQ(run->airflow_run_id, report.airflow_run_id);
      if (report.run_id) {
        EXPECT_EQ(run->run_id, *report.run_id);
      }
      ASSERT_EQ(run->status, *model.status);
      ASSERT_EQ(run->rows_scored, model.rows);
      ASSERT_EQ(run->error_message, model.error);
    }
  }
  std::map<std::pair<std::string, std::string>, RunRecord> records;
  for (std::optional<int64_t> cursor;;) {
    auto page = store->ListRuns(deployment.deployment_id, 500, cursor).value();
    for (const auto& run : page.items) records[{*run.airflow_run_id, run.run_id}] = run;
    if (!page.next) break;
    cursor = page.next;
  }
  ASSERT_EQ(records.size(), models.size());
  for (const auto& [key, model] : models) {
    const auto& [name, id] = key;
    const auto& run = records.at({name, id.value_or(RunIdInAirflow(deployment.deployment_id, name))});
    EXPECT_EQ(run.status, *model.status);
    EXPECT_EQ(run.rows_scored, model.rows);
    EXPECT_EQ(run.error_message, model.error);
    EXPECT_EQ(run.finished_at.has_value(), IsFinal(*model.status));
    EXPECT_EQ(told[run.run_id], IsFinal(*model.status) ? 1 : 0);
  }
}

/// One run, told of twelve times at random, some words twice.
TEST_F(ReportsTest, RepeatedLateAndContradictingWords) {
  for (unsigned seed = 0; seed < 12; ++seed) {
    SCOPED_TRACE(seed);
    Reports random(seed);
    auto name = fmt::format("scheduled__{}", seed);
    std::optional<RunStatus> state;
    for (int i = 0; i < 12; ++i) {
      RunReport report{.airflow_run_id = name, .status = static_cast<RunStatus>(random.Number(0, 3))};
      if (random.Chance(0.7)) report.rows_scored = random.Chance(0.5) ? 5 : 7;
      std::optional<RunRecord> run;
      for (int times = random.Number(1, 2); times > 0; --times) run = lifecycle.Report(deployment, report).value();
      bool back = state == kRunning && report.status == kQueued;
      if (!(state && IsFinal(*state)) && !back) state = report.status;
      EXPECT_EQ(run->status, *state);
      EXPECT_EQ(run->finished_at.has_value(), IsFinal(*state));
    }
    EXPECT_EQ(store->FindAirflowRun(deployment.deployment_id, name).value()->status, *state);
  }
}

TEST_F(ReportsTest, AReportOfAnotherDeploymentsRunIsNotFound) {
  Deployment other{.deployment_id = NewUuid(), .model = "m", .name = "e", .status = DeploymentStatus::kActive};
  ASSERT_TRUE(store->CreateDeployment(other));
  RunReport report{.airflow_run_id = "r", .status = kRunning};
  report.run_id = NewUuid();
  ASSERT_TRUE(lifecycle.Report(other, report));
  EXPECT_EQ(lifecycle.Report(deployment, report).error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace slipway::deployments
