#include "deployments/lifecycle.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/ids.h"
#include "database/schema.h"
#include "deployments/migrations.h"
#include "deployments/subjects.h"
#include "deployments/test_databases.h"
#include "webhooks/migrations.h"

namespace slipway::deployments {
namespace {

using enum DeploymentStatus;
using RunRecord = deployments::Run;  // testing::Test has a Run of its own
using scoring::Problem;
using std::chrono::hours;
using std::chrono::microseconds;

/// A runner that does nothing but what it is told.
struct StillDispatcher final : Dispatcher {
  DeploymentStatus prepared = kActive;
  bool owns = false;
  int woken = 0;
  void Start() override {}
  void Stop() override {}
  void Wake() override { ++woken; }
  double SecondsSinceLastRound() const override { return 0; }
  void Prepare(Deployment& deployment) const override { deployment.status = prepared; }
  bool OwnsCancellation(const RunRecord&) const override { return owns; }
};

struct LifecycleTest : testing::Test {
  Timestamp now{std::chrono::sys_days{std::chrono::year{2024} / 3 / 1}};
  ManualClock clock{now};
  TestDatabase database{AllOf(Migrations(), webhooks::Migrations())};
  std::unique_ptr<Store> store;
  StillDispatcher local, airflow;
  std::vector<Problem> problems;         ///< what the planner finds
  std::optional<bool> own_rows;          ///< what it says of the target
  std::vector<RunRecord> told;           ///< runs whose end was told
  std::set<std::string> without_rights;  ///< subjects
  std::unique_ptr<Lifecycle> lifecycle;
  Lifecycle::Person ana{"sub-1", "ana"};

  void SetUp() override {
    store = std::make_unique<Store>(*database);
    airflow.prepared = kPending;
    Lifecycle::Parts parts{*store, clock, nullptr, {}, {}, {}};
    parts.runners.dispatchers = {{RunnerKind::kLocal, &local}, {RunnerKind::kAirflow, &airflow}};
    parts.plan = [this](const BatchSpec& batch, const scoring::When&) -> std::expected<Planned, std::vector<Problem>> {
      if (!problems.empty()) return std::unexpected(problems);
      return Planned{batch.model.version.value_or("9"), own_rows};
    };
    parts.ended = [this](const RunRecord& run, const auto&) { told.push_back(run); };
    parts.may_run = [this](const Deployment& d) -> Result<> {
      if (!without_rights.contains(d.rights_of)) return {};
      return Fail(ErrorKind::kDenied, "no rights of " + d.rights_of);
    };
    lifecycle = std::make_unique<Lifecycle>(std::move(parts));
  }

  NewDeployment Asked(std::string name = "d") {
    NewDeployment request{.model = "m", .name = std::move(name), .spec = {}, .schedule = {}};
    request.spec.owner = "o";
    request.spec.domain = "x";
    request.spec.batch.model = {.name = "m", .version = "1", .alias = {}};
    request.spec.batch.source = {.schema = "src", .table = "t", .filter_sql = {}, .snapshot_id = {}};
    request.spec.batch.target = {.schema = "ml", .table = "p"};
    request.spec.batch.entity_columns = {"id"};
    return request;
  }
  Deployment Made(const NewDeployment& request) {
    auto made = lifecycle->Create(request, ana, false);
    EXPECT_TRUE(made) << made.error().error.message;
    return Stored(made->deployment);
  }
  Deployment Stored(const Deployment& d) { return store->FindDeploymentById(d.deployment_id).value(); }
  RunRecord Stored(const RunRecord& run) { return store->FindRun(run.run_id).value(); }
  /// A deployment in a status, whatever way leads there.
  Deployment In(DeploymentStatus status, std::string name = "d") {
    auto d = Made(Asked(std::move(name)));
    return store->ChangeDeployment(d.deployment_id, [&](Deployment& s) { return s.status = status, Result<>(); })
        .value();
  }
  RunRecord Running(const Deployment& d) {
    auto run = lifecycle->Trigger(d, std::nullopt).value();
    return store->ChangeRun(run.run_id, [](RunRecord& r) { return r.status = RunStatus::kRunning, Result<>(); })
        .value();
  }
  static std::vector<std::string> Places(const Refusal& refusal) {
    std::vector<std::string> places;
    for (const auto& problem : refusal.problems) {
      std::string place;
      for (const auto& part : problem.loc) place += (place.empty() ? "" : ".") + part;
      places.push_back(place);
    }
    return places;
  }
  using Names = std::vector<std::string>;
};

TEST_F(LifecycleTest, CreateStoresWhatWasAsked) {
  auto request = Asked();
  request.schedule = "0 6 * * *";
  request.trigger_now = true;
  auto made = lifecycle->Create(request, ana, false);
  ASSERT_TRUE(made);
  auto stored = store->FindDeployment("m", "d").value();
  stored.deployment.sequence = 0;
  EXPECT_EQ(stored.deployment, made->deployment);
  EXPECT_EQ(stored.deployment.spec, request.spec);
  EXPECT_EQ(stored.deployment.status, kActive);
  EXPECT_EQ(stored.deployment.created_by, "sub-1");
  EXPECT_EQ(stored.deployment.resolved_model_version, "1");
  EXPECT_EQ(stored.deployment.next_tick, now + hours{6});
  ASSERT_TRUE(stored.last_run && made->last_run);
  EXPECT_EQ(stored.last_run->run_id, made->last_run->run_id);
  EXPECT_EQ(stored.last_run->logical_date, now);
  EXPECT_EQ(stored.last_run->status, RunStatus::kQueued);
  EXPECT_EQ(local.woken, 1);
}

TEST_F(LifecycleTest, ValidateOnlyStoresNothing) {
  auto request = Asked();
  request.trigger_now = true;
  auto checked = lifecycle->Create(request, ana, true);
  ASSERT_TRUE(checked);
  EXPECT_FALSE(checked->last_run);
  EXPECT_FALSE(store->FindDeployment("m", "d"));
  Made(Asked());
  for (bool validate_only : {true, false}) {
    auto taken = lifecycle->Create(request, ana, validate_only);
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().error.kind, ErrorKind::kConflict);
  }
}

TEST_F(LifecycleTest, WhatTheBodySaysIsJudgedBeforeWhatIsLookedUp) {
  auto request = Asked();
  auto refused = [&] { return lifecycle->Create(request, ana, true).error(); };
  problems = {{ErrorKind::kNotFound, {"model"}, "no model"}, {ErrorKind::kNotFound, {"source", "table"}, "no table"}};
  EXPECT_EQ(refused().error.kind, ErrorKind::kNotFound);
  EXPECT_EQ(refused().error.message, "no model; no table");
  request.schedule = "61 * * * *";
  EXPECT_EQ(Places(refused()), Names{"schedule"});
  problems = {{ErrorKind::kUnavailable, {"model"}, "the registry is away"}};
  EXPECT_EQ(Places(refused()), Names{"schedule"});
  request.schedule.reset();
  EXPECT_EQ(refused().error.kind, ErrorKind::kUnavailable);
  problems = {{ErrorKind::kIo, {"source", "table"}, "a file"}};
  EXPECT_EQ(refused().error.kind, ErrorKind::kUnavailable);
  problems = {{ErrorKind::kInternal, {"source", "table"}, "a defect"}};
  EXPECT_EQ(refused().error.kind, ErrorKind::kInternal);
  problems = {{ErrorKind::kInvalid, {"source", "filter_sql"}, "what"}, {ErrorKind::kUnsupported, {"model"}, "not yet"}};
  EXPECT_EQ(Places(refused()), (Names{"source.filter_sql", "model"}));
  request.schedule = "61 * * * *";
  EXPECT_EQ(Places(refused()), (Names{"schedule", "source.filter_sql", "model"}));
}

TEST_F(LifecycleTest, ARunnerThatTheServerDoesNotHaveIsRefusedAtItsPlace) {
  Lifecycle::Parts parts{*store, clock, nullptr, {}, [](const auto&, const auto&) { return Planned{"1", {}}; }, {}};
  parts.runners.dispatchers = {{RunnerKind::kLocal, &local}};
  Lifecycle only_local(std::move(parts));
  auto request = Asked();
  request.spec.runner = RunnerKind::kAirflow;
  auto refused = only_local.Create(request, ana, true);
  ASSERT_FALSE(refused);
  EXPECT_EQ(Places(refused.error()), Names{"runner.kind"});
  auto elsewhere = Made(request);  // by a server that has it
  EXPECT_EQ(elsewhere.status, kPending);
  auto started = only_local.Start(In(kStopped, "e"));
  EXPECT_TRUE(started) << "the default runner is there";
  ASSERT_TRUE(only_local.Stop(elsewhere, ana));
  auto refused_start = only_local.Start(Stored(elsewhere));
  ASSERT_FALSE(refused_start);
  EXPECT_EQ(refused_start.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(Stored(elsewhere).status, kStopped) << "and nothing of it was done";
}

/// Every status with everything that can be asked of a deployment.
TEST_F(LifecycleTest, EveryTransition) {
  struct Row {
    DeploymentStatus from;
    std::optional<DeploymentStatus> stop, start, change;  ///< the status afterwards; nothing: kConflict
    bool trigger;
  };
  const Row rows[] = {
      {kPending, kStopped, kPending, kActive, false}, {kDeploying, kStopped, kDeploying, kActive, false},
      {kActive, kStopped, kActive, kActive, true},    {kFailed, kStopped, kActive, kActive, false},
      {kStopped, kStopped, kActive, kStopped, false}, {kArchived, {}, {}, {}, false},
  };
  int count = 0;
  for (const auto& row : rows) {
    SCOPED_TRACE(ToString(row.from));
    auto fresh = [&] { return In(row.from, "d" + std::to_string(++count)); };
    auto expect = [&](const char* what, const auto& result, std::optional<DeploymentStatus> status) {
      SCOPED_TRACE(what);
      ASSERT_EQ(result.has_value(), status.has_value());
      if (status) {
        EXPECT_EQ(result->status, *status);
      }
    };
    expect("stop", lifecycle->Stop(fresh(), ana), row.stop);
    expect("start", lifecycle->Start(fresh()), row.start);
    DeploymentChange owner;
    owner.owner = "z";
    expect("change", lifecycle->Change(fresh(), owner, ana), row.change);
    auto archived = lifecycle->Archive(fresh(), ana);
    EXPECT_EQ(archived.has_value(), row.from != kArchived) << "archived is final";
    auto triggered = lifecycle->Trigger(fresh(), std::nullopt);
    ASSERT_EQ(triggered.has_value(), row.trigger);
    if (!triggered) {
      EXPECT_EQ(triggered.error().kind, ErrorKind::kConflict);
    }
    auto scheduled = fresh();
    scheduled.schedule = "0 6 * * *";
    auto backfilled = lifecycle->Backfill(scheduled, {now - hours{48}, now});
    EXPECT_EQ(backfilled.has_value(), row.trigger);
    auto reported = lifecycle->Report(fresh(), {.airflow_run_id = "r", .status = RunStatus::kSucceeded});
    EXPECT_TRUE(reported) << "what Airflow did is recorded in any status";
  }
}

TEST_F(LifecycleTest, UpdatedAtRisesWithEachChangeAndOnlyThen) {
  auto d = Made(Asked());
  EXPECT_EQ(d.updated_at, now);
  auto stopped = lifecycle->Stop(d, ana).value();
  EXPECT_EQ(stopped.updated_at, now + microseconds{1}) << "the clock stands still";
  EXPECT_EQ(stopped.stopped_at, stopped.updated_at);
  EXPECT_EQ(lifecycle->Stop(stopped, ana)->updated_at, stopped.updated_at) << "it was stopped already";
  clock.Set(now + hours{1});
  auto started = lifecycle->Start(stopped).value();
  EXPECT_EQ(started.updated_at, now + hours{1});
  EXPECT_FALSE(started.stopped_at);
  EXPECT_EQ(lifecycle->SetRoles(started, std::vector<std::string>{"a"})->spec.allowed_roles->front(), "a");
  EXPECT_EQ(Stored(d).updated_at, now + hours{1} + microseconds{1});
}

TEST_F(LifecycleTest, AChangeKeepsWhatItDoesNotName) {
  auto request = Asked();
  request.schedule = "0 6 * * *";
  auto d = Made(request);
  clock.Set(now + hours{12});
  DeploymentChange change;
  change.filter_sql = "id < 7";
  change.snapshot_id = 5;
  change.rerun_behavior = scoring::RerunBehavior::kAppendDedup;
  change.owner = "z";
  auto changed = lifecycle->Change(d, change, ana).value();
  EXPECT_EQ(changed.spec.batch.source.filter_sql, "id < 7");
  EXPECT_EQ(changed.spec.batch.source.snapshot_id, 5);
  EXPECT_EQ(changed.spec.batch.source.table, "t");
  EXPECT_EQ(changed.spec.owner, "z");
  EXPECT_EQ(changed.spec.domain, "x");
  EXPECT_EQ(changed.next_tick, now + hours{6}) << "the schedule is the same: what is due stays due";
  EXPECT_EQ(store->ListDeployments({.owner = "z"}, 9, std::nullopt)->items.size(), 1u) << "it is found by its owner";
  DeploymentChange alias;
  alias.pin = {.version = {}, .alias = "champion"};
  alias.schedule = "0 7 * * *";
  alias.filter_sql = std::optional<std::string>();
  changed = lifecycle->Change(changed, alias, ana).value();
  EXPECT_EQ(changed.spec.batch.model.alias, "champion");
  EXPECT_FALSE(changed.spec.batch.model.version);
  EXPECT_FALSE(changed.spec.batch.source.filter_sql);
  EXPECT_EQ(changed.resolved_model_version, "9");
  EXPECT_EQ(changed.next_tick, now + hours{31});
  DeploymentChange manual;
  manual.schedule = std::optional<std::string>();
  EXPECT_FALSE(lifecycle->Change(changed, manual, ana)->next_tick);
}

TEST_F(LifecycleTest, AChangeOfSomethingThatHasChangedIsAConflict) {
  auto d = Made(Asked());
  DeploymentChange change;
  change.owner = "z";
  ASSERT_TRUE(lifecycle->Change(d, change, ana));
  change.owner = "y";
  auto late = lifecycle->Change(d, change, ana);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().error.kind, ErrorKind::kConflict);
  EXPECT_EQ(Stored(d).spec.owner, "z");
  problems = {{ErrorKind::kInvalid, {"source", "filter_sql"}, "what"}};
  EXPECT_EQ(Places(lifecycle->Change(Stored(d), change, ana).error()), Names{"source.filter_sql"});
}

TEST_F(LifecycleTest, TheRunnerChangesWhenNothingIsUnderWay) {
  auto d = Made(Asked());
  auto run = lifecycle->Trigger(d, std::nullopt).value();
  DeploymentChange change;
  change.runner = RunnerKind::kAirflow;
  auto busy = lifecycle->Change(d, change, ana);
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().error.kind, ErrorKind::kConflict);
  EXPECT_FALSE(Stored(d).spec.runner);
  ASSERT_TRUE(lifecycle->Cancel(d, run.run_id, ana));
  auto moved = lifecycle->Change(d, change, ana).value();
  EXPECT_EQ(moved.status, kPending) << "as the new runner prepares it";
  EXPECT_TRUE(store->DueDeployments(now + hours{99}, {RunnerKind::kLocal, true})->empty());
  change.runner = std::optional<RunnerKind>();
  EXPECT_EQ(lifecycle->Change(moved, change, ana)->status, kActive);
}

TEST_F(LifecycleTest, AStopEndsWhatIsQueuedAndAnArchiveWhatRunsToo) {
  for (bool owns : {false, true}) {
    for (bool archive : {false, true}) {
      SCOPED_TRACE(testing::Message() << (owns ? "the dispatcher ends, " : "ends at once, ") << archive);
      local.owns = false;
      auto d = Made(Asked("d" + std::to_string(owns) + std::to_string(archive)));
      auto running = Running(d), queued = lifecycle->Trigger(d, std::nullopt).value();
      local.owns = owns;
      ASSERT_TRUE(archive ? lifecycle->Archive(d, ana) : lifecycle->Stop(d, ana));
      auto ended = [&](const RunRecord& run) { return Stored(run).status == RunStatus::kFailed; };
      EXPECT_EQ(ended(queued), !owns);
      EXPECT_EQ(ended(running), !owns && archive);
      EXPECT_EQ(Stored(queued).cancelled_by, "ana");
      EXPECT_EQ(Stored(running).cancelled_by.has_value(), archive);
      if (!owns) {
        EXPECT_EQ(Stored(queued).error_message,
                  archive ? "the deployment was archived" : "the deployment was stopped before the run began");
      }
    }
  }
}

TEST_F(LifecycleTest, AStopLeavesARunToItsEndThatWaitsToBeTriedAgain) {
  auto d = Made(Asked());
  auto lost = store->ChangeRun(Running(d).run_id, [this](RunRecord& run) {
    run.status = RunStatus::kQueued;
    run.started_at = now;
    return Result<>();
  });
  ASSERT_TRUE(lifecycle->Stop(d, ana));
  EXPECT_EQ(Stored(*lost).status, RunStatus::kQueued);
  EXPECT_EQ(store->ClaimRun("server", 30, now, {RunnerKind::kLocal, true}).value()->run_id, lost->run_id);
}

TEST_F(LifecycleTest, StartGoesOnWithTheNextTick) {
  auto request = Asked();
  request.schedule = "0 6 * * *";
  auto d = Made(request);
  auto stopped = lifecycle->Stop(d, ana).value();
  clock.Set(now + hours{49});
  EXPECT_EQ(lifecycle->Start(stopped)->next_tick, now + hours{54}) << "what was due meanwhile is not made up for";
}

TEST_F(LifecycleTest, Cancel) {
  auto d = Made(Asked()), other = Made(Asked("e"));
  auto run = lifecycle->Trigger(d, now - hours{5}).value();
  EXPECT_EQ(run.logical_date, now - hours{5});
  EXPECT_EQ(lifecycle->Cancel(other, run.run_id, ana).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(lifecycle->Cancel(d, "nope", ana).error().kind, ErrorKind::kNotFound);
  auto ended = lifecycle->Cancel(d, run.run_id, ana).value();
  EXPECT_EQ(ended.status, RunStatus::kFailed);
  EXPECT_EQ(ended.error_message, "cancelled by ana");
  EXPECT_EQ(ended.finished_at, now);
  EXPECT_EQ(lifecycle->Cancel(d, run.run_id, ana).error().kind, ErrorKind::kConflict);
  local.owns = true;
  auto asked = lifecycle->Cancel(d, Running(d).run_id, ana).value();
  EXPECT_EQ(asked.status, RunStatus::kRunning) << "the dispatcher ends it";
  EXPECT_EQ(asked.cancelled_by, "ana");
}

TEST_F(LifecycleTest, BackfillMakesARunForEachTickWithoutOne) {
  auto request = Asked();
  request.schedule = "0 6 * * *";
  auto d = Made(request);
  auto six = [&](int days) { return now + hours{6} - hours{24} * days; };
  auto done = lifecycle->Trigger(d, six(3)).value(), failed = lifecycle->Trigger(d, six(2)).value();
  ASSERT_TRUE(lifecycle->Cancel(d, failed.run_id, ana));
  auto runs = lifecycle->Backfill(d, {six(4), now + hours{99}}).value();
  std::vector<Timestamp> dates;
  for (const auto& run : runs) dates.push_back(run.logical_date);
  EXPECT_EQ(dates, (std::vector{six(4), six(2), six(1)})) << "both ends, none of the future, what failed once more";
  EXPECT_TRUE(std::ranges::all_of(runs, [](const auto& run) { return run.cause == RunCause::kBackfill; }));
  EXPECT_TRUE(lifecycle->Backfill(d, {six(4), now}).value().empty()) << "what was done is not done again";
  EXPECT_EQ(Places(lifecycle->Backfill(d, {now - hours{24} * 1100, now}).error()), Names{"to"}) << "over 1,000";
  EXPECT_EQ(lifecycle->Backfill(Made(Asked("e")), {now, now}).error().error.kind, ErrorKind::kConflict);
}

TEST_F(LifecycleTest, RunsHaveTheRightsOfWhoLastSaidWhatTheyDo) {
  const Lifecycle::Person bob{"sub-2", "bob"}, platform{"platform", "platform", SubjectKind::kPlatform};
  auto d = Made(Asked());
  EXPECT_EQ(CreatorOf(d), (Subject{SubjectKind::kPerson, "sub-1"}));
  EXPECT_EQ(RightsHolderOf(d), CreatorOf(d));
  DeploymentChange owner, schedule, alias, filter, snapshot, rerun;
  owner.owner = "z";
  owner.domain = "z";
  schedule.schedule = "0 6 * * *";
  alias.pin = DeploymentChange::Pin{.version = {}, .alias = "champion"};
  filter.filter_sql = std::optional<std::string>();
  snapshot.snapshot_id = std::optional<int64_t>();
  rerun.rerun_behavior = d.spec.batch.rerun_behavior;
  for (const auto& change : {owner, schedule}) {
    d = lifecycle->Change(d, change, bob).value();
    EXPECT_EQ(d.rights_of, "sub-1") << "it does what it did";
  }
  for (const auto& change : {alias, filter, snapshot, rerun}) {
    d = lifecycle->Change(d, change, bob).value();
    EXPECT_EQ(RightsHolderOf(Stored(d)), (Subject{SubjectKind::kPerson, "sub-2"})) << "said anew, if only the same";
    d = lifecycle->Change(d, change, platform).value();
    EXPECT_EQ(RightsHolderOf(Stored(d)), (Subject{SubjectKind::kPlatform, "platform"}));
  }
  EXPECT_EQ(Stored(d).created_by, "sub-1");
}

TEST_F(LifecycleTest, WithoutRightsNothingStarts) {
  auto request = Asked();
  request.schedule = "0 6 * * *";
  auto d = Made(request);
  auto queued = lifecycle->Trigger(d, std::nullopt).value();
  without_rights = {"sub-1"};
  auto denied = [](const auto& result) { return result.error().kind == ErrorKind::kDenied; };
  EXPECT_TRUE(denied(lifecycle->Trigger(d, std::nullopt)));
  EXPECT_EQ(lifecycle->Backfill(d, {now - hours{48}, now}).error().error.kind, ErrorKind::kDenied);
  ASSERT_TRUE(lifecycle->Stop(d, ana));
  EXPECT_TRUE(denied(lifecycle->Start(d)));
  EXPECT_EQ(Stored(d).status, kStopped);
  EXPECT_EQ(store->ListRuns(d.deployment_id, 10, {})->items.size(), 1) << "the one of before";
  without_rights.clear();
  EXPECT_EQ(lifecycle->Start(d)->status, kActive);
}

TEST_F(LifecycleTest, ARunOfAirflowsThatHasNoRightsToStartFailsByName) {
  auto d = Made(Asked());
  auto report = [&](const char* name, RunStatus status) {
    return lifecycle->Report(d, {.airflow_run_id = name, .status = status}).value();
  };
  report("goes on", RunStatus::kRunning);
  without_rights = {"sub-1"};
  auto refused = report("starts", RunStatus::kRunning);
  EXPECT_EQ(refused.status, RunStatus::kFailed);
  EXPECT_EQ(refused.error_message, "no rights of sub-1");
  EXPECT_EQ(report("starts", RunStatus::kSucceeded).status, RunStatus::kFailed) << "what is final stays";
  EXPECT_EQ(report("goes on", RunStatus::kRunning).status, RunStatus::kRunning) << "it had them when it started";
  EXPECT_EQ(report("goes on", RunStatus::kSucceeded).status, RunStatus::kSucceeded);
}

TEST_F(LifecycleTest, ADamagedRecordIsRefusedByItsOwnMessage) {
  auto d = Made(Asked());
  ASSERT_TRUE(database->Write([](sql::Session& session) -> Result<> {
    session << "UPDATE deployments SET body = '{\"owner\": 7}'";
    return {};
  }));
  auto damaged = Stored(d);
  ASSERT_TRUE(damaged.damage);
  EXPECT_EQ(damaged.spec.owner, "o");
  EXPECT_EQ(lifecycle->Trigger(damaged, std::nullopt).error().message, *damaged.damage);
  EXPECT_EQ(lifecycle->Change(damaged, {}, ana).error().error.message, *damaged.damage);
  EXPECT_EQ(lifecycle->SetRoles(damaged, std::nullopt).error().message, *damaged.damage);
  ASSERT_TRUE(lifecycle->Stop(damaged, ana));
  EXPECT_EQ(lifecycle->Start(Stored(d)).error().message, *damaged.damage);
  ASSERT_TRUE(lifecycle->Archive(damaged, ana)) << "the name can be freed";
  EXPECT_TRUE(Stored(d).damage) << "its body was not written over";
  Made(Asked());
}

}  // namespace
}  // namespace slipway::deployments
