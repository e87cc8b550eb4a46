#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/ids.h"
#include "database/schema.h"
#include "deployments/migrations.h"
#include "deployments/store.h"
#include "deployments/test_databases.h"
#include "deployments/webhook_events.h"
#include "webhooks/migrations.h"

namespace slipway::deployments {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;
using RunRecord = deployments::Run;  // testing::Test has a Run of its own

struct WarningTest : testing::Test {
  Timestamp now{std::chrono::sys_days{std::chrono::year{2024} / 3 / 1}};
  TestDatabase database{AllOf(Migrations(), webhooks::Migrations())};
  Store store{*database, AnnounceToWebhooks(*database, {{"pager", {std::string(kWarningEvent)}},
                                                        {"log", {"run.succeeded", std::string(kWarningEvent)}}})};
  Deployment d{.deployment_id = NewUuid(), .model = "m", .name = "d", .status = DeploymentStatus::kActive};

  void SetUp() override { ASSERT_TRUE(store.CreateDeployment(d)); }
  RunRecord Ended(std::optional<int64_t> rows, std::optional<int64_t> left_out = {},
                  RunStatus status = RunStatus::kSucceeded) {
    auto run = NewRun(d, RunCause::kManual, now += std::chrono::hours(1), now);
    EXPECT_TRUE(store.CreateRuns({run}));
    auto changed = store.ChangeRun(run.run_id, [&](RunRecord& stored) {
      stored.status = status;
      stored.rows_scored = rows;
      stored.rows_left_out = left_out;
      return Result<>();
    });
    EXPECT_EQ(store.FindRun(run.run_id).value(), *changed);
    return *changed;
  }
  int64_t Deliveries(const std::string& event) {
    long long count = 0;
    EXPECT_TRUE(database->Read([&](sql::Session& session) -> Result<> {
      session << "SELECT COUNT(*) FROM webhook_deliveries WHERE event = '" + event + "'", soci::into(count);
      return {};
    }));
    return count;
  }
};

TEST_F(WarningTest, ARunOfNoRowsAfterOneOfManySaysSo) {
  EXPECT_FALSE(Ended(0).warning) << "the first one: nobody knows better";
  EXPECT_FALSE(Ended(300).warning);
  auto empty = Ended(0);
  EXPECT_THAT(empty.warning, Optional(HasSubstr("the run of 2024-03-01T02:00:00Z had 300")));
  EXPECT_EQ(Deliveries("run.warning"), 2);
  EXPECT_EQ(Deliveries("run.succeeded"), 3);
  EXPECT_TRUE(Ended(0).warning) << "it goes on until there are rows again";
  EXPECT_FALSE(Ended(1).warning);
}

TEST_F(WarningTest, WhatIsNoLossHasNone) {
  Ended(300);
  EXPECT_FALSE(Ended(0, 300).warning) << "append_dedup, done again";
  EXPECT_FALSE(Ended(0, {}, RunStatus::kFailed).warning) << "a failure is told of as one";
  EXPECT_FALSE(Ended(std::nullopt).warning) << "a DAG that does not count its rows";
}

TEST_F(WarningTest, AirflowsFirstWordMayBeTheLast) {
  Ended(300);
  auto run = NewRun(d, RunCause::kAirflow, now, now);
  run.status = RunStatus::kSucceeded;
  run.rows_scored = 0;
  ASSERT_TRUE(store.CreateRuns({run}));
  EXPECT_TRUE(store.FindRun(run.run_id)->warning);
}

}  // namespace
}  // namespace slipway::deployments
