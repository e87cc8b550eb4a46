#include "server/readiness.h"

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <list>
#include <mutex>
#include <thread>

#include "base/file.h"
#include "base/format.h"
#include "base/log.h"
#include "base/time.h"

namespace slipway::server {
namespace {

using namespace std::chrono_literals;

constexpr auto kBetweenLooks = 1s, kFirstAnswers = 2s;
constexpr double kOldest = 15;                       // seconds: an answer that is older says nothing of now
constexpr uint64_t kLeastFree = uint64_t{64} << 20;  // of a disk

}  // namespace

struct Readiness::State {
  struct Checked {
    Check check;
    Result<> found = Fail(ErrorKind::kUnavailable, "has not answered yet");
    double at = MonotonicSeconds();
    bool looked = false;
    std::thread thread;
  };
  mutable std::mutex mutex;
  std::condition_variable changed;
  bool stopped = false;
  std::list<Checked> all;

  void Look(Checked& checked) {
    std::unique_lock lock(mutex);
    while (!stopped) {
      lock.unlock();
      auto found = checked.check.look();
      lock.lock();
      if (found.has_value() != checked.found.has_value() && checked.looked)
        Log(found ? LogLevel::kInfo : LogLevel::kError, found ? "works_again" : "does_not_work",
            {{"what", checked.check.name}, {"error", found ? "" : found.error().message}});
      checked.found = std::move(found);
      checked.at = MonotonicSeconds();
      checked.looked = true;
      changed.notify_all();
      changed.wait_for(lock, kBetweenLooks, [&] { return stopped; });
    }
  }
};

Readiness::Readiness(std::vector<Check> checks) : state_(std::make_unique<State>()) {
  for (auto& check : checks) state_->all.emplace_back(std::move(check));
  for (auto& checked : state_->all) checked.thread = std::thread([this, &checked] { state_->Look(checked); });
  std::unique_lock lock(state_->mutex);
  state_->changed.wait_for(lock, kFirstAnswers, [&] {
    return std::ranges::all_of(state_->all, [](const auto& checked) { return checked.looked; });
  });
}

Readiness::~Readiness() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopped = true;
  }
  state_->changed.notify_all();
  for (auto& checked : state_->all) checked.thread.join();
}

Result<> Readiness::Now() const {
  std::lock_guard lock(state_->mutex);
  for (const auto& checked : state_->all) {
    if (!checked.found) return Wrap(checked.found, checked.check.name);
    if (auto age = MonotonicSeconds() - checked.at; age > kOldest)
      return Fail(ErrorKind::kUnavailable, "{}: no answer for {:.0f} seconds", checked.check.name, age);
  }
  return {};
}

Result<> CheckDisk(const std::string& folder) {
  auto file = folder + "/.write-probe";
  if (auto written = WriteFileAtomically(file, std::string(4096, 'x'), 0600); !written)
    return Fail(ErrorKind::kUnavailable,
                "nothing can be written to the data directory: the server's log has the reason");
  std::error_code code;
  auto space = std::filesystem::space(folder, code);
  if (!code && space.available < kLeastFree)
    return Fail(ErrorKind::kUnavailable, "{} MiB are left for the data directory", space.available >> 20);
  return {};
}

}  // namespace slipway::server
