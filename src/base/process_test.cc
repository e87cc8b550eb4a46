#include "base/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/file.h"

namespace slipway {
namespace {

namespace fs = std::filesystem;

constexpr double kLong = 60;  // seconds; ends a test that hangs

class ProcessTest : public testing::Test {
 protected:
  ProcessTest() : folder_(fs::path(testing::TempDir()) / ("process-test-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~ProcessTest() override { fs::remove_all(folder_); }

  Program Shell(const std::string& script) const {
    return {.arguments = {"/bin/sh", "-c", script}, .output = folder_ / "out", .error = folder_ / "err"};
  }
  /// What the program wrote to its output, once it has ended.
  std::string OutputOf(const Program& program) const {
    fs::remove(folder_ / "out");
    auto pid = StartProcess(program);
    if (!pid) return pid.error().message;
    auto end = AwaitEnd(*pid, kLong);
    if (!end) KillProcess(*pid);
    auto text = ReadFile(folder_ / "out", 1 << 16);
    return end && text ? *text : "nothing";
  }

  fs::path folder_;
};

TEST_F(ProcessTest, HasTheFilesThatItIsGivenAndNoOthers) {
  int open = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC: as libraries open files and sockets
  ASSERT_GT(open, 2);
  auto program = Shell("");
  program.arguments = {"/bin/ls", "/proc/self/fd"};
  EXPECT_EQ(OutputOf(program), "0\n1\n2\n3\n");  // 3: the folder that ls lists
  int given = ::memfd_create("given", 0);
  ASSERT_EQ(::pwrite(given, "first", 5, 0), 5);
  program.descriptors = {given, given};
  EXPECT_EQ(OutputOf(program), "0\n1\n2\n3\n4\n5\n");
  program.arguments = {"/bin/sh", "-c", "read word <&3; echo $word"};
  ASSERT_EQ(::lseek(given, 0, SEEK_SET), 0);
  EXPECT_EQ(OutputOf(program), "first\n");
  ::close(given);
  ::close(open);
}

TEST_F(ProcessTest, FilesChangePlacesWithoutLoss) {
  int a = ::memfd_create("a", 0), b = ::memfd_create("b", 0);
  ASSERT_EQ(::write(a, "a", 1) + ::write(b, "b", 1), 2);
  auto program = Shell("cat /proc/self/fd/3 /proc/self/fd/4 /proc/self/fd/5");
  for (auto order : {std::vector<int>{a, b, a}, {b, a, b}}) {
    program.descriptors = order;
    EXPECT_EQ(OutputOf(program), order[0] == a ? "aba" : "bab");
  }
  ::close(a);
  ::close(b);
}

TEST_F(ProcessTest, HasTheEnvironmentAndTheFolderThatItIsGiven) {
  ::setenv("SECRET", "1", 1);
  auto program =
      Shell("pwd; env | sort | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD=; ps -o sid= -p $$ | grep -c -w $$");
  program.environment = {"PATH=/usr/bin:/bin", "ONE=1"};
  program.folder = folder_;
  EXPECT_EQ(OutputOf(program), fs::canonical(folder_).string() + "\nONE=1\nPATH=/usr/bin:/bin\n1\n");
  ::unsetenv("SECRET");
}

TEST_F(ProcessTest, TellsHowItEnded) {
  auto exits = StartProcess(Shell("exit 3"));
  ASSERT_TRUE(exits);
  auto end = AwaitEnd(*exits, kLong);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->ToString(), "ended with status 3");
  EXPECT_EQ(end->code(), 3);
  auto crashes = StartProcess(Shell("kill -SEGV $$"));
  ASSERT_TRUE(crashes);
  end = AwaitEnd(*crashes, kLong);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->ToString(), "was ended by signal 11 (Segmentation fault)");
  EXPECT_EQ(end->code(), 139);
}

TEST_F(ProcessTest, OneThatDoesNotEndIsKilledWithAllThatItStarted) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  auto program = Shell("trap '' TERM; sleep 1000 & echo $! >pipe; wait");
  program.folder = folder_;
  auto pid = StartProcess(program);
  ASSERT_TRUE(pid);
  int other = 0;
  std::ifstream(folder_ / "pipe") >> other;  // waits until it has started another
  ASSERT_EQ(::getpgid(other), *pid);
  pollfd other_ends{static_cast<int>(::syscall(SYS_pidfd_open, other, 0)), POLLIN, 0};
  ASSERT_GE(other_ends.fd, 0);
  EXPECT_FALSE(AwaitEnd(*pid, 0));
  ::kill(*pid, SIGTERM);
  EXPECT_FALSE(TryReap(*pid));
  EXPECT_EQ(KillProcess(*pid).signal, SIGKILL);
  EXPECT_EQ(TryReap(*pid)->code(), 1);  // it is no child any more
  EXPECT_EQ(::poll(&other_ends, 1, static_cast<int>(kLong) * 1000), 1);
  ::close(other_ends.fd);
}

TEST_F(ProcessTest, AProgramThatIsNotThereIsSaid) {
  auto started = StartProcess({.arguments = {"/nowhere/program"}});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "start /nowhere/program: No such file or directory");
}

}  // namespace
}  // namespace slipway
