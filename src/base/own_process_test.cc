#include "base/own_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "base/file.h"

namespace slipway {
namespace {

using testing::HasSubstr;
using testing::Not;

/// In a process of its own: what is done cannot be undone. Its environment is what this test's process was started
/// with.
template <typename Body>
int StatusOf(Body body) {
  auto child = ::fork();
  if (child == 0) {
    body();
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 1;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(OwnProcess, TheEnvironmentIsNotInProcAndGetenvGivesIt) {
  EXPECT_EQ(StatusOf([] {
              auto environment = [] { return ReadFile("/proc/self/environ", 1 << 20).value_or("cannot be read"); };
              const std::string path = std::getenv("PATH");
              EXPECT_THAT(environment(), HasSubstr(path));
              HideEnvironment();
              EXPECT_THAT(environment(), Not(HasSubstr(path)));
              EXPECT_EQ(environment().find_first_not_of('\0'), std::string::npos);
              EXPECT_EQ(std::getenv("PATH"), path);
            }),
            0);
}

TEST(OwnProcess, CannotBeDumped) {
  EXPECT_EQ(StatusOf([] {
              MakeUndumpable();
              EXPECT_EQ(::prctl(PR_GET_DUMPABLE), 0);
            }),
            0);
}

}  // namespace
}  // namespace slipway
