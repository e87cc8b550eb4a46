#include "deployments/records.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "base/ids.h"
#include "database/schema.h"
#include "deployments/migrations.h"
#include "deployments/store.h"
#include "deployments/test_databases.h"
#include "deployments/webhook_events.h"
#include "webhooks/migrations.h"

namespace slipway::deployments {
namespace {

using enum RunStatus;
using RunRecord = deployments::Run;  // testing::Test has a Run of its own

TEST(RunStateMachine, EveryChange) {
  const bool allowed[4][4] = {
      // to queued, running, succeeded, failed
      {true, true, true, true},      // queued
      {true, true, true, true},      // running
      {false, false, false, false},  // succeeded
      {false, false, false, false},  // failed
  };
  for (int from = 0; from < 4; ++from)
    for (int to = 0; to < 4; ++to)
      EXPECT_EQ(CanChange(static_cast<RunStatus>(from), static_cast<RunStatus>(to)), allowed[from][to])
          << from << " to " << to;
}

TEST(DeploymentStateMachine, EveryChange) {
  const bool allowed[6][6] = {
      // to pending, deploying, active, failed, stopped, archived
      {true, true, true, true, true, true},        // pending
      {false, true, true, true, true, true},       // deploying
      {true, true, true, true, true, true},        // active
      {true, true, true, true, true, true},        // failed
      {true, true, true, false, true, true},       // stopped
      {false, false, false, false, false, false},  // archived
  };
  for (int from = 0; from < 6; ++from)
    for (int to = 0; to < 6; ++to)
      EXPECT_EQ(CanChange(static_cast<DeploymentStatus>(from), static_cast<DeploymentStatus>(to)), allowed[from][to])
          << from << " to " << to;
}

/// The same tests on SQLite, and on PostgreSQL where SLIPWAY_TEST_POSTGRESQL names an empty database.
struct StoreTest : testing::TestWithParam<std::string> {
  std::unique_ptr<Database> database;
  std::unique_ptr<Store> store;
  Timestamp now{std::chrono::sys_days{std::chrono::year{2024} / 1 / 1}};
  std::string model = "m" + RandomHex(4);  // tests share a PostgreSQL database

  void SetUp() override {
    auto location = GetParam();
    if (location == "sqlite") location = testing::TempDir() + "store-" + NewUuid() + ".db";
    auto opened = Database::Open(location, AllOf(Migrations(), webhooks::Migrations()));
    ASSERT_TRUE(opened) << opened.error().message;
    database = std::move(*opened);
    store = std::make_unique<Store>(
        *database,
        AnnounceToWebhooks(*database, {{"pager", {"run.queued", "run.running", "run.succeeded", "run.failed"}}}));
  }

  Deployment Make(std::string name, std::vector<std::string> roles = {}) {
    Deployment d{.deployment_id = NewUuid(),
                 .model = model,
                 .name = std::move(name),
                 .status = DeploymentStatus::kActive,
                 .created_by = "platform",
                 .created_at = now,
                 .updated_at = now};
    d.spec.owner = "o";
    d.spec.domain = "d";
    d.spec.allowed_roles = std::move(roles);
    return d;
  }
  RunRecord RunOf(const Deployment& d, RunCause cause = RunCause::kManual) {
    return {
        .run_id = NewUuid(), .deployment_id = d.deployment_id, .cause = cause, .logical_date = now, .queued_at = now};
  }
  DeploymentFilter Mine() { return {.model = model}; }
};

TEST_P(StoreTest, NamesAreUniqueAmongThoseNotArchived) {
  auto first = Make("a");
  ASSERT_TRUE(store->CreateDeployment(first));
  auto again = store->CreateDeployment(Make("a"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kConflict);
  ASSERT_TRUE(store->ChangeDeployment(
      first.deployment_id, [](Deployment& d) { return d.status = DeploymentStatus::kArchived, Result<>(); }));
  EXPECT_FALSE(store->FindDeployment(model, "a"));
  EXPECT_TRUE(store->CreateDeployment(Make("a")));
  auto revived = store->ChangeDeployment(
      first.deployment_id, [](Deployment& d) { return d.status = DeploymentStatus::kActive, Result<>(); });
  ASSERT_FALSE(revived);
  EXPECT_EQ(revived.error().kind, ErrorKind::kConflict);
}

TEST_P(StoreTest, PagesAreStableUnderInserts) {
  for (auto name : {"a", "b", "c"}) ASSERT_TRUE(store->CreateDeployment(Make(name)));
  auto page = store->ListDeployments(Mine(), 2, std::nullopt).value();
  ASSERT_EQ(page.items.size(), 2u);
  ASSERT_TRUE(store->CreateDeployment(Make("d")));
  auto rest = store->ListDeployments(Mine(), 2, page.next).value();
  ASSERT_EQ(rest.items.size(), 2u);
  EXPECT_EQ(rest.items[0].deployment.name, "c");
  EXPECT_EQ(rest.items[1].deployment.name, "d");
  EXPECT_FALSE(rest.next);
  EXPECT_TRUE(store->ListDeployments({.model = model, .owner = "nobody"}, 2, std::nullopt).value().items.empty());
}

TEST_P(StoreTest, ListsByRole) {
  ASSERT_TRUE(store->CreateDeployment(Make("a", {"red", "blue"})));
  ASSERT_TRUE(store->CreateDeployment(Make("b")));
  auto names = [&](std::set<std::string> roles) {
    std::string text;
    auto page = store->ListDeployments({.model = model, .roles = std::move(roles)}, 9, std::nullopt).value();
    for (const auto& item : page.items) text += item.deployment.name;
    return text;
  };
  EXPECT_EQ(names({"blue", "green"}), "a");
  EXPECT_EQ(names({"green"}), "");
  EXPECT_EQ(names({}), "");
}

/// Whoever makes deployments without end, each with a run, is not before all others.
TEST_P(StoreTest, ANewDeploymentTakesItsTurn) {
  auto old = Make("old"), first = Make("first"), second = Make("second");
  auto ran = RunOf(old), waits = RunOf(old);
  ASSERT_TRUE(store->CreateDeployment(old, ran));
  while (store->FindRun(ran.run_id)->status == kQueued) ASSERT_TRUE(store->ClaimRun("server", 30, now, {}));
  ASSERT_TRUE(store->ChangeRun(ran.run_id, [](RunRecord& run) { return run.status = kSucceeded, Result<>(); }));
  ASSERT_TRUE(store->CreateDeployment(first, RunOf(first)));
  while (store->ClaimRun("server", 30, now, {}).value()) continue;
  ASSERT_TRUE(store->CreateRuns({waits}));
  ASSERT_TRUE(store->CreateDeployment(second, RunOf(second)));
  std::vector<std::string> claimed;
  while (auto run = store->ClaimRun("server", 30, now, {}).value()) claimed.push_back(run->deployment_id);
  EXPECT_EQ(claimed, (std::vector{old.deployment_id, second.deployment_id}));
}

TEST_P(StoreTest, WhatIsFinalStaysAndOneRunAtATime) {
  auto d = Make("a");
  auto first = RunOf(d), second = RunOf(d);
  ASSERT_TRUE(store->CreateDeployment(d, first));
  ASSERT_TRUE(store->CreateRuns({second}));
  auto claim = [&] {  // other tests' runs are in the way on a shared database
    while (true) {
      auto run = store->ClaimRun("server", 30, now, {}).value();
      if (!run || run->deployment_id == d.deployment_id) return run;
    }
  };
  auto claimed = claim();
  ASSERT_TRUE(claimed);
  EXPECT_EQ(claimed->run_id, first.run_id);
  EXPECT_EQ(claimed->attempt, 1);
  EXPECT_FALSE(claim()) << "the second waits";
  auto end = [](RunRecord& run) -> Result<> {
    run.status = kSucceeded;
    run.rows_scored = 5'000'000'000;
    run.snapshot_id = INT64_MAX;
    run.model_version = "7";
    return {};
  };
  ASSERT_TRUE(store->ChangeRun(first.run_id, end));
  EXPECT_FALSE(store->ChangeRun(first.run_id, [](RunRecord& run) { return run.status = kFailed, Result<>(); }));
  auto stored = store->FindRun(first.run_id).value();
  EXPECT_EQ(stored.status, kSucceeded);
  EXPECT_EQ(stored.rows_scored, 5'000'000'000);
  EXPECT_EQ(stored.snapshot_id, INT64_MAX);
  EXPECT_FALSE(stored.leased_by);
  EXPECT_EQ(store->FindDeployment(model, "a")->deployment.resolved_model_version, "7");
  EXPECT_EQ(store->FindDeployment(model, "a")->last_run->run_id, second.run_id);
  EXPECT_EQ(claim()->run_id, second.run_id);
}

TEST_P(StoreTest, ATickFiresOnce) {
  auto d = Make("a");
  d.schedule = "* * * * *";
  d.next_tick = now;
  ASSERT_TRUE(store->CreateDeployment(d));
  auto run = RunOf(d, RunCause::kSchedule);
  auto next = now + std::chrono::minutes{1};
  EXPECT_TRUE(store->FireTick(d, next, {run}).value());
  EXPECT_FALSE(store->FireTick(d, next, {RunOf(d, RunCause::kSchedule)}).value())
      << "another server read the same tick";
  EXPECT_EQ(store->ListRuns(d.deployment_id, 9, std::nullopt)->items.size(), 1u);
}

TEST_P(StoreTest, ALeaseIsRenewedOrTakenOver) {
  auto d = Make("a");
  auto run = RunOf(d);
  ASSERT_TRUE(store->CreateDeployment(d, run));
  auto name = "one-" + RandomHex(4);
  while (store->FindRun(run.run_id)->status == kQueued) ASSERT_TRUE(store->ClaimRun(name, 30, now, {}));
  auto has = [&](const std::vector<RunRecord>& runs) {
    return std::ranges::any_of(runs, [&](const RunRecord& r) { return r.run_id == run.run_id; });
  };
  EXPECT_TRUE(has(store->RenewLeases(name, 30).value()));
  EXPECT_FALSE(has(store->TakeOver("two", 30, false).value())) << "the lease holds";
  EXPECT_TRUE(has(store->RenewLeases(name, -1).value())) << "expires now";
  EXPECT_TRUE(has(store->TakeOver("two", 30, false).value()));
  EXPECT_FALSE(has(store->RenewLeases(name, 30).value()));
}

TEST_P(StoreTest, OnlyAnActiveDeploymentGetsRuns) {
  using enum DeploymentStatus;
  auto d = Make("a");
  ASSERT_TRUE(store->CreateDeployment(d));
  auto becomes = [&](DeploymentStatus status) {
    return store->ChangeDeployment(d.deployment_id, [&](Deployment& s) { return s.status = status, Result<>(); });
  };
  for (auto status : {kPending, kDeploying, kFailed, kStopped, kArchived}) {
    ASSERT_TRUE(becomes(status)) << ToString(status);
    auto refused = store->CreateRuns({RunOf(d)});
    ASSERT_FALSE(refused) << ToString(status);
    EXPECT_EQ(refused.error().kind, ErrorKind::kConflict);
    EXPECT_EQ(refused.error().message, "the deployment is " + std::string(ToString(status)) + ", not active");
    EXPECT_TRUE(store->CreateRuns({RunOf(d, RunCause::kAirflow)})) << "what Airflow did is recorded all the same";
    if (status == kArchived) break;
    ASSERT_TRUE(becomes(kActive)) << ToString(status);
  }
  auto gone = store->CreateRuns({RunOf(Make("b"))});
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().kind, ErrorKind::kNotFound);
}

TEST_P(StoreTest, RunsOfStoppedAndArchivedDeploymentsDoNotStart) {
  using enum DeploymentStatus;
  for (auto status : {kStopped, kArchived}) {
    auto d = Make(std::string(ToString(status)));
    auto run = RunOf(d), waiting = RunOf(d);
    ASSERT_TRUE(store->CreateDeployment(d, run));
    ASSERT_TRUE(store->CreateRuns({waiting}));
    auto server = "server-" + RandomHex(4);
    auto claim_all = [&] {  // other tests' runs are in the way on a shared database
      while (store->ClaimRun(server, 30, now, {}).value()) continue;
    };
    claim_all();
    ASSERT_EQ(store->FindRun(run.run_id)->status, kRunning);
    ASSERT_TRUE(store->ChangeDeployment(d.deployment_id, [&](Deployment& s) { return s.status = status, Result<>(); }));
    ASSERT_TRUE(store->ChangeRun(run.run_id, [](RunRecord& r) { return r.status = kQueued, Result<>(); }));
    claim_all();
    EXPECT_EQ(store->FindRun(run.run_id)->status, kRunning) << "it has started before, and goes on";
    ASSERT_TRUE(store->ChangeRun(run.run_id, [](RunRecord& r) { return r.status = kSucceeded, Result<>(); }));
    claim_all();
    EXPECT_EQ(store->FindRun(waiting.run_id)->status, kQueued);
  }
}

/// A server with both runners: each sees its own, and the default one those that name none.
TEST_P(StoreTest, EachRunnerHasItsOwnDeployments) {
  const RunnerScope local{RunnerKind::kLocal, true}, airflow{RunnerKind::kAirflow, false};
  const RunnerScope other_local{RunnerKind::kLocal, false}, default_airflow{RunnerKind::kAirflow, true};
  std::map<std::string, std::string> names;  // by run id
  for (auto runner :
       {std::optional<RunnerKind>(), std::optional(RunnerKind::kLocal), std::optional(RunnerKind::kAirflow)}) {
    auto name = runner ? std::string(ToString(*runner)) : "none";
    auto d = Make(name);
    d.spec.runner = runner;
    d.schedule = "* * * * *";
    d.next_tick = now;
    if (runner == RunnerKind::kLocal) {  // it was Airflow's before, and has its DAG still
      d.dag_id = "dag-" + d.deployment_id;
      d.dag_digest = "0";
    }
    auto run = RunOf(d);
    names[run.run_id] = names[d.deployment_id] = name;
    ASSERT_TRUE(store->CreateDeployment(d, run));
    EXPECT_EQ(store->FindDeploymentById(d.deployment_id)->spec.runner, runner);
  }
  auto due = [&](const RunnerScope& scope) {
    std::set<std::string> found;
    auto all = store->DueDeployments(now, scope).value();
    for (const auto& d : all)
      if (names.contains(d.deployment_id)) found.insert(d.name);
    return found;
  };
  auto open = [&](const RunnerScope& scope) {
    std::set<std::string> found;
    auto all = store->OpenRuns(scope).value();
    for (const auto& run : all)
      if (names.contains(run.run_id)) found.insert(names[run.run_id]);
    return found;
  };
  auto dags = [&](const RunnerScope& scope) {
    std::set<std::string> found;
    auto all = store->DagDeployments(scope).value();
    for (const auto& d : all)
      if (names.contains(d.deployment_id)) found.insert(d.name + (scope.Has(d.spec) ? "" : " (to be removed)"));
    return found;
  };
  using Names = std::set<std::string>;
  EXPECT_EQ(due(local), (Names{"none", "local"}));
  EXPECT_EQ(due(other_local), (Names{"local"}));
  EXPECT_EQ(due(airflow), (Names{"airflow"}));
  EXPECT_EQ(due(default_airflow), (Names{"none", "airflow"}));
  EXPECT_EQ(open(airflow), (Names{"airflow", "local"})) << "what still has a DAG is looked after";
  EXPECT_EQ(dags(airflow), (Names{"airflow", "local (to be removed)"}));
  EXPECT_EQ(dags(default_airflow), (Names{"none", "airflow", "local (to be removed)"}));
  for (const auto& [id, name] : names) ASSERT_TRUE(store->ForgetDag(id, airflow));
  EXPECT_EQ(dags(airflow), (Names{"airflow"}));
  Names claimed;
  while (auto run = store->ClaimRun("server-" + model, 30, now, local).value())
    if (names.contains(run->run_id)) claimed.insert(names[run->run_id]);
  EXPECT_EQ(claimed, (Names{"none", "local"}));
}

/// A trigger beside a stop: either it comes first, and whoever stops sees its run, or it is refused.
TEST_P(StoreTest, NoRunAppearsAfterTheDeploymentWasStopped) {
  using enum DeploymentStatus;
  for (int round = 0; round < 30; ++round) {
    auto d = Make("r" + std::to_string(round));
    ASSERT_TRUE(store->CreateDeployment(d));
    std::atomic<bool> begun = false;
    std::atomic<int> accepted = 0;
    std::vector<std::jthread> triggers(4);
    for (auto& trigger : triggers)
      trigger = std::jthread([&] {
        while (store->CreateRuns({RunOf(d)})) {
          ++accepted;
          begun = true;
        }
      });
    while (!begun) std::this_thread::yield();
    ASSERT_TRUE(store->ChangeDeployment(
        d.deployment_id, [&](Deployment& s) { return s.status = round % 2 == 0 ? kStopped : kArchived, Result<>(); }));
    auto seen = store->ListRuns(d.deployment_id, 10'000, std::nullopt)->items.size();
    triggers.clear();
    EXPECT_EQ(store->ListRuns(d.deployment_id, 10'000, std::nullopt)->items.size(), seen);
    EXPECT_EQ(static_cast<size_t>(accepted), seen);
  }
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreTest, testing::Values("sqlite"));
INSTANTIATE_TEST_SUITE_P(Postgresql, StoreTest, testing::ValuesIn(TestedPostgresql()));
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreTest);

TEST(RetryPolicy, PausesDoubleUpToAnHour) {
  const RetryPolicy standard;
  std::vector<int64_t> pauses;
  for (int attempt = 1; attempt <= 10; ++attempt) pauses.push_back(standard.PauseAfter(attempt));
  EXPECT_EQ(pauses, (std::vector<int64_t>{15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600}));
  DeploymentSpec spec;
  spec.retry_delay = 7200;
  EXPECT_EQ(RetriesFor(spec, standard).retries, 4);
  EXPECT_EQ(RetriesFor(spec, standard).PauseAfter(3), 7200) << "longer, where somebody says so";
  spec.retry_delay = 0;
  EXPECT_EQ(RetriesFor(spec, standard).PauseAfter(90), 0);
}

}  // namespace
}  // namespace slipway::deployments
