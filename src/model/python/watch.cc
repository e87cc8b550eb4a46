#include "model/python/watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/format.h"
#include "base/process_tree.h"

namespace slipway::model {
namespace {

constexpr int kMilliseconds = 20, kLooksForOneAtTheFolder = 16;
constexpr int64_t kMostFiles = 100'000, kMib = int64_t{1} << 20;

}  // namespace

Watch::Watch(const PythonEngine& engine, WorkerProcess& process, std::filesystem::path folder,
             std::array<int, 2> shared)
    : memory_mib_(engine.memory_mib),
      disk_mib_(engine.disk_mib),
      tasks_(engine.tasks),
      process_(process),
      folder_(std::move(folder)),
      shared_(shared),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this] { Look(); }) {}

Watch::~Watch() {
  ::eventfd_write(stop_, 1);
  thread_.join();
  ::close(stop_);
}

std::optional<std::string> Watch::reason() const {
  const std::scoped_lock lock(mutex_);
  return reason_;
}

void Watch::Look() {
  pollfd stop{stop_, POLLIN, 0};
  for (int looks = 1; ::poll(&stop, 1, kMilliseconds) <= 0; ++looks) {
    auto over = WhatIsOver(looks % kLooksForOneAtTheFolder == 0);
    if (!over) continue;
    {
      const std::scoped_lock lock(mutex_);
      reason_ = std::move(over);
    }
    process_.Stop();
    return;
  }
}

std::optional<std::string> Watch::WhatIsOver(bool folder_too) const {
  auto use = UseOf(process_.id(), memory_mib_ * kMib);
  struct stat about = {};
  constexpr int64_t kBlock = 512;  // of st_blocks
  for (int memory : shared_)       // both are the model's to write
    if (::fstat(memory, &about) == 0) use.bytes += about.st_blocks * kBlock;
  auto others = use.processes > 1 ? fmt::format(", with {} that it has started,", use.processes - 1) : "";
  if (use.bytes > memory_mib_ * kMib)
    return fmt::format("{} took {} MiB, more than python.memory_mib = {}", others, use.bytes / kMib, memory_mib_);
  if (use.tasks > tasks_)
    return fmt::format("{} had {} processes and threads, more than python.tasks = {}", others, use.tasks, tasks_);
  if (!folder_too) return std::nullopt;
  auto files = UseOf(folder_, kMostFiles);
  if (files.bytes > disk_mib_ * kMib)
    return fmt::format(" wrote {} MiB into its folder, more than python.disk_mib = {}", files.bytes / kMib, disk_mib_);
  if (files.entries >= kMostFiles) return fmt::format(" made more than {} files in its folder", kMostFiles);
  return std::nullopt;
}

}  // namespace slipway::model
