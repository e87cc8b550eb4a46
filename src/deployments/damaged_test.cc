#include <gtest/gtest.h>

#include "base/ids.h"
#include "database/schema.h"
#include "deployments/migrations.h"
#include "deployments/store.h"
#include "deployments/test_databases.h"
#include "webhooks/migrations.h"

/// One damaged row is one record's trouble: everything else is read and works as before.
namespace slipway::deployments {
namespace {

using RunRecord = deployments::Run;  // testing::Test has a Run of its own

struct DamagedTest : testing::Test {
  Timestamp now{std::chrono::sys_days{std::chrono::year{2024} / 1 / 1}};
  TestDatabase database{AllOf(Migrations(), webhooks::Migrations())};
  Store store{*database};

  Deployment Make(const std::string& name) {
    Deployment d{.deployment_id = NewUuid(), .model = "m", .name = name, .status = DeploymentStatus::kActive};
    d.spec.owner = "o";
    d.spec.allowed_roles = std::vector<std::string>{"red"};
    d.schedule = "* * * * *";
    d.next_tick = now;
    EXPECT_TRUE(store.CreateDeployment(d, NewRun(d, RunCause::kManual, now, now)));
    return d;
  }
  void Sql(const std::string& statement) {
    ASSERT_TRUE(database->Write([&](sql::Session& session) -> Result<> { return session << statement, Result<>(); }));
  }
  Page<DeploymentWithRun> List() { return store.ListDeployments({}, 9, std::nullopt).value(); }
};

TEST_F(DamagedTest, ADamagedDeploymentIsListedWithItsDamage) {
  const char* damages[] = {"body = 'no JSON'", "body = '{}'", "body = '[]'", "body = '{\"owner\": 1}'",
                           "status = 'unheard of'"};
  for (const char* damage : damages) {
    SCOPED_TRACE(damage);
    Sql("DELETE FROM runs");
    Sql("DELETE FROM deployment_roles");
    Sql("DELETE FROM deployments");
    Make("a");
    auto broken = Make("b");
    Make("c");
    Sql(std::string("UPDATE deployments SET ") + damage + " WHERE name = 'b'");
    auto page = List();
    ASSERT_EQ(page.items.size(), 3u);
    for (const auto& item : page.items) {
      EXPECT_EQ(item.deployment.damage.has_value(), item.deployment.name == "b");
      EXPECT_EQ(item.deployment.spec.owner, "o");
      EXPECT_TRUE(item.last_run);
    }
    EXPECT_TRUE(store.FindDeployment("m", "b")->deployment.damage->contains("damaged"));
    std::set<std::string> due;
    auto all = store.DueDeployments(now, {}).value();
    for (const auto& d : all) due.insert(d.name);
    EXPECT_TRUE(due.contains("a") && due.contains("c"));
    std::set<std::string> claimed;
    while (auto run = store.ClaimRun("server", 30, now, {}).value()) claimed.insert(run->deployment_id);
    EXPECT_EQ(claimed.size(), 3u) << "whoever executes the run records that it cannot";
    ASSERT_TRUE(store.ChangeDeployment(broken.deployment_id, [](Deployment& d) {
      return d.status = DeploymentStatus::kArchived, Result<>();
    })) << "it can be put away";
    EXPECT_EQ(List().items.size(), 2u);
  }
}

TEST_F(DamagedTest, WhatIsDamagedIsNotWrittenOver) {
  auto d = Make("a");
  Sql("UPDATE deployments SET body = '{\"owner\": 7}'");
  ASSERT_TRUE(store.ChangeDeployment(d.deployment_id,
                                     [](Deployment& s) { return s.status = DeploymentStatus::kStopped, Result<>(); }));
  std::string body;
  ASSERT_TRUE(database->Read([&](sql::Session& session) -> Result<> {
    return session << "SELECT body FROM deployments", soci::into(body), Result<>();
  }));
  EXPECT_EQ(body, "{\"owner\": 7}");
  EXPECT_EQ(store.ListDeployments({.roles = std::set<std::string>{"red"}}, 9, std::nullopt)->items.size(), 1u);
}

TEST_F(DamagedTest, ADamagedRunIsListedAndClaimedWithItsDamage) {
  const char* damages[] = {"cause = 'boredom'", "cause = ''"};
  for (const char* damage : damages) {
    SCOPED_TRACE(damage);
    auto d = Make("r" + NewUuid());
    Sql(std::string("UPDATE runs SET ") + damage + " WHERE deployment_id = '" + d.deployment_id + "'");
    auto listed = store.ListRuns(d.deployment_id, 9, std::nullopt)->items;
    ASSERT_EQ(listed.size(), 1u);
    EXPECT_TRUE(listed[0].damage);
    auto claimed = store.ClaimRun("server", 30, now, {}).value();
    ASSERT_TRUE(claimed);
    EXPECT_TRUE(claimed->damage);
    auto failed = store.ChangeRun(claimed->run_id, [&](RunRecord& run) {
      run.error_message = run.damage;
      return run.status = RunStatus::kFailed, Result<>();
    });
    ASSERT_TRUE(failed) << failed.error().message;
    EXPECT_EQ(store.CountOpenRuns(RunStatus::kQueued).value() + store.CountOpenRuns(RunStatus::kRunning).value(), 0);
  }
}

}  // namespace
}  // namespace slipway::deployments
