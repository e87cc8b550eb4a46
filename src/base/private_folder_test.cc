#include "base/private_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>

namespace slipway {
namespace {

namespace fs = std::filesystem;

/// With a temporary folder of its own: no other process looks there.
class PrivateFolderTest : public testing::Test {
 protected:
  PrivateFolderTest()
      : temporary_(fs::path(testing::TempDir()) / ("private-folder-test-" + std::to_string(::getpid()))) {
    fs::create_directories(temporary_);
    ::setenv("TMPDIR", temporary_.c_str(), 1);
  }
  ~PrivateFolderTest() override {
    ::unsetenv("TMPDIR");
    fs::remove_all(temporary_);
  }

 private:
  fs::path temporary_;
};

TEST_F(PrivateFolderTest, OnlyItsUserMayEnterAndItGoesWithItsObject) {
  fs::path path;
  {
    auto folder = PrivateFolder::Make();
    ASSERT_TRUE(folder) << folder.error().message;
    path = folder->path();
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
    fs::create_directories(path / "a/b");
    std::ofstream(path / "a/b/c") << "x";
    auto moved = std::move(*folder);
    EXPECT_TRUE(fs::exists(moved.path() / "a/b/c"));
  }
  EXPECT_FALSE(fs::exists(path));
}

/// A process that makes a folder, tells its path, and is killed.
fs::path MadeByKilledProcess() {
  std::array<int, 2> pipe{};
  EXPECT_EQ(::pipe(pipe.data()), 0);
  auto child = ::fork();
  if (child == 0) {
    auto folder = PrivateFolder::Make();
    auto path = folder ? folder->path().string() : "";
    if (::write(pipe[1], path.data(), path.size()) < 0) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  std::string path(4096, '\0');
  auto count = ::read(pipe[0], path.data(), path.size());
  path.resize(count < 0 ? 0 : static_cast<size_t>(count));
  for (int end : pipe) ::close(end);
  return path;
}

TEST_F(PrivateFolderTest, WhatAKilledProcessLeftIsRemovedByTheNextAndWhatIsInUseIsNot) {
  auto in_use = PrivateFolder::Make();
  ASSERT_TRUE(in_use) << in_use.error().message;
  auto left = MadeByKilledProcess();
  ASSERT_TRUE(fs::is_directory(left)) << left;
  auto next = PrivateFolder::Make();
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(in_use->path()));
}

}  // namespace
}  // namespace slipway
