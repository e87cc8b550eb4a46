#include "deployments/records.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/ids.h"
#include "deployments/store.h"

namespace slipway::deployments {
namespace {

using enum RunStatus;

TEST(RunStateMachine, EveryChange) {
  const bool allowed[4][4] = {
      // to queued, running, succeeded, failed
      {false, true, false, true},    // queued
      {true, false, true, true},     // running
      {false, false, false, false},  // succeeded
      {false, false, false, false},  // failed
  };
  for (int from = 0; from < 4; ++from)
    for (int to = 0; to < 4; ++to)
      EXPECT_EQ(CanChange(static_cast<RunStatus>(from), static_cast<RunStatus>(to)), allowed[from][to]) << from << " to " << to;
}

struct StoreTest : testing::Test {
  std::string file = testing::TempDir() + "store-" + NewUuid() + ".db";
  std::unique_ptr<Store> store = Store::Open(file).value();
  Timestamp now{std::chrono::sys_days{std::chrono::year{2024} / 1 / 1}};

  Deployment Make(std::string name) {
    Deployment d{.deployment_id = NewUuid(),
                 .model = "m",
                 .name = std::move(name),
                 .status = DeploymentStatus::kActive,
                 .created_at = now,
                 .updated_at = now};
    d.body = {{"owner", "o"}, {"domain", "d"}};
    return d;
  }
};

TEST_F(StoreTest, NamesAreUniqueAmongThoseNotArchived) {
  auto first = Make("a");
  ASSERT_TRUE(store->CreateDeployment(first));
  auto again = store->CreateDeployment(Make("a"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kConflict);
  auto archived = Make("b");
  archived.status = DeploymentStatus::kArchived;
  ASSERT_TRUE(store->CreateDeployment(archived));
  EXPECT_TRUE(store->CreateDeployment(Make("b")));
}

TEST_F(StoreTest, PagesAreStableUnderInserts) {
  for (auto name : {"a", "b", "c"}) ASSERT_TRUE(store->CreateDeployment(Make(name)));
  auto page = store->ListDeployments({}, 2, std::nullopt).value();
  ASSERT_EQ(page.items.size(), 2u);
  ASSERT_TRUE(store->CreateDeployment(Make("d")));
  auto rest = store->ListDeployments({}, 2, page.next).value();
  ASSERT_EQ(rest.items.size(), 2u);
  EXPECT_EQ(rest.items[0].name, "c");
  EXPECT_EQ(rest.items[1].name, "d");
  EXPECT_FALSE(rest.next);
  EXPECT_TRUE(store->ListDeployments({.owner = "nobody"}, 2, std::nullopt).value().items.empty());
}

TEST_F(StoreTest, WhatIsFinalStaysAndOneRunAtATime) {
  auto d = Make("a");
  ASSERT_TRUE(store->CreateDeployment(d));
  deployments::Run first{.run_id = NewUuid(), .deployment_id = d.deployment_id, .logical_date = now}, second = first;
  second.run_id = NewUuid();
  ASSERT_TRUE(store->CreateRun(first));
  ASSERT_TRUE(store->CreateRun(second));
  EXPECT_EQ(store->NextQueuedRun().value()->run_id, first.run_id);
  ASSERT_TRUE(store->ChangeRun(first.run_id, {.status = kRunning, .attempt = 1}));
  EXPECT_FALSE(store->NextQueuedRun().value()) << "the second waits";
  ASSERT_TRUE(store->ChangeRun(first.run_id, {.status = kSucceeded, .rows_scored = int64_t{5'000'000'000}, .snapshot_id = INT64_MAX}));
  EXPECT_FALSE(store->ChangeRun(first.run_id, {.status = kFailed}));
  auto stored = Store::Open(file).value()->FindRun(first.run_id).value();
  EXPECT_EQ(stored.status, kSucceeded);
  EXPECT_EQ(stored.rows_scored, 5'000'000'000);
  EXPECT_EQ(stored.snapshot_id, INT64_MAX);
  EXPECT_EQ(store->NextQueuedRun().value()->run_id, second.run_id);
}

}  // namespace
}  // namespace slipway::deployments
