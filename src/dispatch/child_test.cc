#include "dispatch/child.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

namespace slipway::dispatch {
namespace {

TEST(StartChild, InheritsNoDescriptorButTheStandardOnes) {
  int open = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC: as libraries open files and sockets
  ASSERT_GT(open, 2);
  auto folder = std::filesystem::path(testing::TempDir()) / std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  auto pid = StartChild({"/bin/ls", "/proc/self/fd"}, {}, folder / "out", folder / "err");
  ASSERT_TRUE(pid) << pid.error().message;
  int status = -1;
  ASSERT_EQ(::waitpid(*pid, &status, 0), *pid);
  auto listed = ReadFile(folder / "out", 4096);
  ::close(open);
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(listed);
  EXPECT_EQ(*listed, "0\n1\n2\n3\n");  // 3: the folder that ls lists
}

}  // namespace
}  // namespace slipway::dispatch
