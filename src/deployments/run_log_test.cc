#include "deployments/run_log.h"

#include <gtest/gtest.h>

#include "base/ids.h"
#include "database/schema.h"
#include "deployments/migrations.h"
#include "deployments/store.h"
#include "deployments/test_databases.h"
#include "webhooks/migrations.h"

namespace slipway::deployments {
namespace {

TEST(RunLog, NothingOfItDrivesATerminalOrBreaksADatabase) {
  using namespace std::string_view_literals;
  EXPECT_EQ(MakeRunLog("a\0b\x1b[2J\r\x7f\tc\n"sv, 12).text, "a?b?[2J??\tc\n");
  EXPECT_EQ(MakeRunLog("\xc3\xa9\xc3(\xff\xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf\xe2\x82", 18).text,
            "\xc3\xa9?(????"
            "????"
            "??"
            "??");
}

TEST(RunLog, OfALongOneTheEndIsKept) {
  auto log = MakeRunLog(std::string(RunLog::kMost, 'a') + "end", 1'000'000);
  EXPECT_EQ(log.text.size(), RunLog::kMost);
  EXPECT_TRUE(log.text.ends_with("end"));
  EXPECT_EQ(log.From(999'997), "end");
  EXPECT_EQ(log.From(0).size(), RunLog::kMost);
  EXPECT_EQ(log.From(1'000'000), "");
  EXPECT_EQ(log.From(INT64_MAX), "");
  EXPECT_EQ(MakeRunLog("\xc3\xa9!", 3).From(1), "!") << "no half of a character";
}

TEST(RunLog, TheLastWordHolds) {
  TestDatabase database(AllOf(Migrations(), webhooks::Migrations()));
  Store store(*database);
  Deployment d{.deployment_id = NewUuid(), .model = "m", .name = "d", .status = DeploymentStatus::kActive};
  auto run = NewRun(d, RunCause::kManual, Timestamp{}, Timestamp{});
  ASSERT_TRUE(store.CreateDeployment(d, run));
  EXPECT_EQ(store.FindLog(run.run_id)->text, "");
  ASSERT_TRUE(store.KeepLog(run.run_id, MakeRunLog("a", 1)));
  ASSERT_TRUE(store.KeepLog(run.run_id, MakeRunLog("a\nb", 3)));
  EXPECT_EQ(store.FindLog(run.run_id)->text, "a\nb");
  EXPECT_EQ(store.FindLog(run.run_id)->end, 3);
}

}  // namespace
}  // namespace slipway::deployments
