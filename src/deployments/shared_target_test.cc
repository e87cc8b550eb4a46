#include "deployments/shared_target.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/format.h"
#include "base/ids.h"
#include "database/schema.h"
#include "deployments/lifecycle.h"
#include "deployments/migrations.h"
#include "deployments/test_databases.h"
#include "webhooks/migrations.h"

namespace slipway::deployments {
namespace {

using enum DeploymentStatus;
using scoring::RerunBehavior;

struct AtOnce final : Dispatcher {
  void Start() override {}
  void Stop() override {}
  void Wake() override {}
  double SecondsSinceLastRound() const override { return 0; }
  void Prepare(Deployment& deployment) const override { deployment.status = kActive; }
  bool OwnsCancellation(const deployments::Run&) const override { return false; }
};

/// On SQLite, and on PostgreSQL where SLIPWAY_TEST_POSTGRESQL names an empty database.
struct SharedTarget : testing::TestWithParam<std::string> {
  ManualClock clock{Timestamp{std::chrono::sys_days{std::chrono::year{2024} / 3 / 1}}};
  std::unique_ptr<Database> database;
  std::unique_ptr<Store> store;
  AtOnce local;
  std::unique_ptr<Lifecycle> lifecycle;
  Lifecycle::Person ana{"sub-1", "ana"};
  std::string table = "t" + RandomHex(4);  // tests share a PostgreSQL database
  std::optional<bool> tells = false;       ///< whether the target is seen to have the column; nothing: it is away

  void SetUp() override {
    auto location = GetParam();
    if (location == "sqlite") location = testing::TempDir() + "targets-" + NewUuid() + ".db";
    auto opened = Database::Open(location, AllOf(Migrations(), webhooks::Migrations()));
    ASSERT_TRUE(opened) << opened.error().message;
    database = std::move(*opened);
    store = std::make_unique<Store>(*database);
    Lifecycle::Parts parts{*store, clock, nullptr, {}, {}, {}};
    parts.runners.dispatchers = {{RunnerKind::kLocal, &local}};
    parts.plan = [this](const BatchSpec&,
                        const scoring::When&) -> std::expected<Planned, std::vector<scoring::Problem>> {
      if (tells) return Planned{"1", tells};
      return std::unexpected(std::vector<scoring::Problem>{{ErrorKind::kUnavailable, {"target"}, "away"}});
    };
    lifecycle = std::make_unique<Lifecycle>(std::move(parts));
  }

  Outcome<DeploymentWithRun> Create(const std::string& name,
                                    RerunBehavior behavior = RerunBehavior::kOverwritePartition,
                                    bool validate_only = false) {
    NewDeployment request{.model = table, .name = name, .spec = {}, .schedule = {}};
    request.spec.owner = request.spec.domain = "o";
    request.spec.batch.model = {.name = table, .version = "1", .alias = {}};
    request.spec.batch.source = {.schema = "src", .table = "t", .filter_sql = {}, .snapshot_id = {}};
    request.spec.batch.target = {.schema = "ml", .table = table};
    request.spec.batch.entity_columns = {"id"};
    request.spec.batch.rerun_behavior = behavior;
    return lifecycle->Create(request, ana, validate_only);
  }
  Deployment Made(const std::string& name, RerunBehavior behavior = RerunBehavior::kOverwritePartition) {
    auto made = Create(name, behavior);
    EXPECT_TRUE(made) << made.error().error.message;
    return store->FindDeployment(table, name)->deployment;
  }
  Outcome<Deployment> Patch(const std::string& name, RerunBehavior behavior) {
    DeploymentChange change;
    change.rerun_behavior = behavior;
    return lifecycle->Change(store->FindDeployment(table, name)->deployment, change, ana);
  }
  Result<Deployment> Start(const std::string& name) {
    return lifecycle->Start(store->FindDeployment(table, name)->deployment);
  }
  void ExpectRefused(const Error& error, const std::string& first) {
    EXPECT_EQ(error.kind, ErrorKind::kConflict);
    EXPECT_NE(error.message.find("'" + table + "/" + first + "'"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("ml." + table), std::string::npos) << error.message;
  }
};

TEST_P(SharedTarget, ASecondThatWouldOverwriteIsRefusedByTheNameOfTheFirst) {
  Made("first");
  for (bool validate_only : {true, false}) {
    auto second = Create("second", RerunBehavior::kOverwritePartition, validate_only);
    ASSERT_FALSE(second);
    ExpectRefused(second.error().error, "first");
  }
  EXPECT_FALSE(store->FindDeployment(table, "second")) << "and nothing of it stays";
  Made("adds", RerunBehavior::kAppendDedup);
  auto changed = Patch("adds", RerunBehavior::kOverwritePartition);
  ASSERT_FALSE(changed);
  ExpectRefused(changed.error().error, "first");
  EXPECT_TRUE(Patch("adds", RerunBehavior::kAppendDedup));
  EXPECT_TRUE(Patch("first", RerunBehavior::kOverwritePartition)) << "it overwrites already";
}

TEST_P(SharedTarget, WhereTheTargetTellsWhoseARowIsAllAreWelcome) {
  tells = true;
  Made("first");
  Made("second");
  tells = false;  // dropped, and made by another hand
  auto third = Create("third");
  ASSERT_FALSE(third);
  ExpectRefused(third.error().error, "first");
  auto second = Patch("second", RerunBehavior::kOverwritePartition);
  ASSERT_FALSE(second) << "it would begin to replace rows of the first";
  ExpectRefused(second.error().error, "first");
}

TEST_P(SharedTarget, StoppedAndArchivedOnesAreNoneUntilTheyAreStarted) {
  auto first = Made("first");
  ASSERT_TRUE(lifecycle->Stop(first, ana));
  auto second = Made("second");
  auto started = Start("first");
  ASSERT_FALSE(started);
  ExpectRefused(started.error(), "second");
  EXPECT_EQ(store->FindDeployment(table, "first")->deployment.status, kStopped) << "nothing of it was done";
  tells = std::nullopt;
  started = Start("first");
  ASSERT_FALSE(started) << "what was seen last holds while the catalog is away";
  ASSERT_TRUE(lifecycle->Archive(second, ana));
  EXPECT_TRUE(Start("first"));
  tells = true;
  EXPECT_TRUE(lifecycle->Stop(store->FindDeployment(table, "first")->deployment, ana));
  EXPECT_TRUE(Start("first"));
  EXPECT_EQ(store->FindDeployment(table, "first")->deployment.spec.batch.own_rows, true) << "it has the column now";
}

// The store of an earlier version, on which two have shared a target all along.
TEST_P(SharedTarget, ThoseOfAnEarlierVersionGoOn) {
  tells = true;
  for (const auto* name : {"first", "second"}) {
    auto d = Made(name);
    ASSERT_TRUE(store->ChangeDeployment(d.deployment_id,
                                        [](Deployment& s) { return s.spec.batch.own_rows.reset(), Result<>(); }));
    ASSERT_TRUE(database->Write([&](sql::Session& session) -> Result<> {
      session << "UPDATE deployments SET target = NULL WHERE deployment_id = :d", soci::use(d.deployment_id);
      return {};
    }));
  }
  tells = false;
  DeploymentChange owner;
  owner.owner = "z";
  auto changed = lifecycle->Change(store->FindDeployment(table, "second")->deployment, owner, ana);
  EXPECT_TRUE(changed) << changed.error().error.message;
  auto third = Create("third");
  ASSERT_FALSE(third) << "rows of earlier servers are looked at too";
  ExpectRefused(third.error().error, "first");
}

TEST_P(SharedTarget, OfManyAtOnceOneIsMade) {
  for (int round = 0; round < 5; ++round) {
    table = "t" + RandomHex(4);
    std::atomic<int> made = 0;
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 4; ++i)
        threads.emplace_back([&, i] { made += Create(fmt::format("d{}", i)).has_value() ? 1 : 0; });
    }
    EXPECT_EQ(made, 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Sqlite, SharedTarget, testing::Values("sqlite"));
INSTANTIATE_TEST_SUITE_P(Postgresql, SharedTarget, testing::ValuesIn(TestedPostgresql()));
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SharedTarget);

}  // namespace
}  // namespace slipway::deployments
