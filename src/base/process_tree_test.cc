#include "base/process_tree.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <functional>

#include "base/file.h"
#include "base/private_folder.h"

namespace slipway {
namespace {

constexpr int64_t kMib = int64_t{1} << 20, kMany = int64_t{1} << 40;

/// A child that does something, says so, and stays until this object goes; its descendants see the pipe close.
class Child {
 public:
  explicit Child(const std::function<void()>& act) {
    std::array<int, 2> said{}, stay{};
    if (::pipe(said.data()) != 0 || ::pipe(stay.data()) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(stay[1]);
      act();
      char byte = 'x';
      if (::write(said[1], &byte, 1) != 1 || ::read(stay[0], &byte, 1) != 0) ::_exit(1);
      ::_exit(0);
    }
    ::close(said[1]);
    ::close(stay[0]);
    stay_ = stay[1];
    char byte = 0;
    EXPECT_EQ(::read(said[0], &byte, 1), 1);
    ::close(said[0]);
  }
  ~Child() {
    ::close(stay_);
    ::waitpid(pid_, nullptr, 0);
  }
  int pid() const { return pid_; }

 private:
  int pid_ = 0, stay_ = -1;
};

char* Take(int64_t mib, int flags) {
  auto* memory = static_cast<char*>(
      ::mmap(nullptr, static_cast<size_t>(mib * kMib), PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0));
  std::memset(memory, 1, static_cast<size_t>(mib * kMib));
  return memory;
}

TEST(ProcessTree, CountsProcessesAndWhatEachTakes) {
  const Child alone([] { Take(64, MAP_PRIVATE); });
  auto use = UseOf(alone.pid(), kMany);
  EXPECT_EQ(use.processes, 1);
  EXPECT_EQ(use.tasks, 1);
  EXPECT_GE(use.bytes, 64 * kMib);
  EXPECT_LT(use.bytes, 164 * kMib);
  const Child shared([] { Take(64, MAP_SHARED); });
  EXPECT_GE(UseOf(shared.pid(), kMany).bytes, 64 * kMib);
  EXPECT_EQ(UseOf(1 << 30, kMany).processes, 0);
}

TEST(ProcessTree, WhatDescendantsShareCountsOnceWhereItMatters) {
  const Child parent([] {
    Take(64, MAP_PRIVATE);
    std::array<int, 2> said{};
    if (::pipe(said.data()) != 0) ::_exit(1);
    for (int i = 0; i < 3; ++i)
      if (::fork() == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        char byte = 'x';
        if (::write(said[1], &byte, 1) != 1) ::_exit(1);
        while (true) ::pause();
      } else {
        char byte = 0;
        if (::read(said[0], &byte, 1) != 1) ::_exit(1);
      }
  });
  auto each = UseOf(parent.pid(), kMany), once = UseOf(parent.pid(), 100 * kMib);
  EXPECT_EQ(each.processes, 4);
  EXPECT_EQ(each.tasks, 4);
  EXPECT_GE(each.bytes, 4 * 64 * kMib);
  EXPECT_GE(once.bytes, 64 * kMib);
  EXPECT_LT(once.bytes, 2 * 64 * kMib);
}

TEST(ProcessTree, AFolderCountsWithoutWhatItsLinksLeadTo) {
  auto place = PrivateFolder::Make();
  ASSERT_TRUE(place);
  auto folder = place->path() / "counted";
  ASSERT_TRUE(CreateFolders(folder / "below"));
  ASSERT_TRUE(WriteFileAtomically(place->path() / "big", std::string(4 * kMib, 'x')));
  ASSERT_TRUE(WriteFileAtomically(folder / "below/small", std::string(kMib, 'x')));
  std::filesystem::create_symlink(place->path(), folder / "link");
  auto use = UseOf(folder, 1000);
  EXPECT_EQ(use.entries, 3);
  EXPECT_GE(use.bytes, kMib);
  EXPECT_LT(use.bytes, 2 * kMib);
  EXPECT_EQ(UseOf(folder, 2).entries, 2);
}

}  // namespace
}  // namespace slipway
