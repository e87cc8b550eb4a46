#include "server/readiness.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "base/format.h"
#include "base/ids.h"

namespace slipway::server {
namespace {

using Checks = std::vector<Readiness::Check>;

TEST(Readiness, TellsWhatDoesNotWork) {
  Checks checks = {{"one", [] { return Result<>(); }}};
  EXPECT_TRUE(Readiness(checks).Now());
  checks.push_back({"two", []() -> Result<> { return Fail(ErrorKind::kUnavailable, "is away"); }});
  Readiness ready(checks);
  auto now = ready.Now();
  ASSERT_FALSE(now);
  EXPECT_EQ(now.error().message, "two: is away");
}

TEST(Readiness, WhoAsksDoesNotWaitForWhatHangs) {
  std::promise<void> go;
  auto open = go.get_future().share();
  Checks checks = {{"store", [open] { return open.wait(), Result<>(); }}};
  Readiness ready(checks);
  auto now = ready.Now();
  ASSERT_FALSE(now);
  EXPECT_EQ(now.error().message, "store: has not answered yet");
  go.set_value();
}

TEST(CheckDisk, AFolderThatCannotBeWrittenTo) {
  auto folder = std::filesystem::temp_directory_path() / ("slipway-disk-" + NewUuid());
  EXPECT_FALSE(CheckDisk(folder.string()));
  std::filesystem::create_directory(folder);
  EXPECT_TRUE(CheckDisk(folder.string()));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace slipway::server
