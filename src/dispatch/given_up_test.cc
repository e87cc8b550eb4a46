#include "dispatch/given_up.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "base/ids.h"
#include "base/time.h"

namespace slipway::dispatch {
namespace {

namespace fs = std::filesystem;

constexpr double kSecondsToHang = 60;

class GivenUpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / NewUuid();
    fs::create_directories(folder_);
    job_.run_id = NewUuid();
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// A program that writes down what it was asked for.
  std::string Program(const std::string& rest = "") {
    auto program = folder_ / "program";
    std::ofstream(program) << "#!/bin/sh\necho \"$@\" >> '" << (folder_ / "asked").string() << "'\n" << rest << "\n";
    ::chmod(program.c_str(), 0700);
    return program.string();
  }
  fs::path Waiting() const { return folder_ / "clean-up" / (job_.run_id + ".json"); }

  /// Rounds until `done`, or too long.
  template <typename F>
  static bool Until(GivenUp& given_up, F&& done) {
    for (auto until = MonotonicSeconds() + kSecondsToHang; MonotonicSeconds() < until;) {
      EXPECT_TRUE(given_up.Round());
      if (done()) return true;
    }
    return false;
  }

  fs::path folder_;
  scoring::Job job_;
};

TEST_F(GivenUpTest, ARunIsTidiedUpByAProcessOfItsOwnAndThenForgotten) {
  ASSERT_TRUE(GivenUp::Add(folder_.string(), job_));
  ASSERT_TRUE(scoring::ParseJob(ReadFile(Waiting()).value()));
  GivenUp given_up(folder_.string(), Program(), {}, 0);
  EXPECT_TRUE(Until(given_up, [&] { return !fs::exists(Waiting()); }));
  EXPECT_EQ(ReadFile(folder_ / "asked").value(), "score --job " + Waiting().string() + " --clean-up\n");
}

TEST_F(GivenUpTest, NothingIsDeletedWhileACommitMayArrive) {
  ASSERT_TRUE(GivenUp::Add(folder_.string(), job_));
  GivenUp given_up(folder_.string(), Program(), {}, 3600);
  ASSERT_TRUE(given_up.Round());
  ASSERT_TRUE(given_up.Round());
  EXPECT_TRUE(fs::exists(Waiting()));
  EXPECT_FALSE(fs::exists(folder_ / "asked"));
}

TEST_F(GivenUpTest, WhatCouldNotBeTidiedUpStaysForLater) {
  ASSERT_TRUE(GivenUp::Add(folder_.string(), job_));
  GivenUp given_up(folder_.string(), Program("exit 1"), {}, 0);
  auto asked_twice = [&] {
    auto asked = ReadFile(folder_ / "asked");
    return asked && std::ranges::count(*asked, '\n') >= 2;
  };
  EXPECT_TRUE(Until(given_up, asked_twice));
  EXPECT_TRUE(fs::exists(Waiting()));
}

}  // namespace
}  // namespace slipway::dispatch
