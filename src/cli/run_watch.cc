#include "cli/run_watch.h"

#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "base/process.h"
#include "base/time.h"

namespace slipway::cli {
namespace {

/// Memory grows by some ten MiB between two looks.
constexpr auto kBetweenLooks = std::chrono::milliseconds(20);
constexpr double kSecondsToStop = 10;
/// Those of a model's Python processes are more.
constexpr int kScoreForTheKernel = 500;

}  // namespace

RunWatch::RunWatch(scoring::RunLimits limits, std::stop_source stop, scoring::EventSink emit)
    : limits_(limits), stop_(std::move(stop)), emit_(std::move(emit)), started_(MonotonicSeconds()) {
  OfferToEnd(kScoreForTheKernel);
  LookAtMemory();  // a small run is over before the thread first looks
  thread_ = std::jthread([this](const std::stop_token& done) { Watch(done); });
}

void RunWatch::Watch(const std::stop_token& done) {
  std::mutex mutex;
  std::condition_variable_any ended;
  std::unique_lock lock(mutex);
  while (!ended.wait_for(lock, done, kBetweenLooks, [&] { return done.stop_requested(); })) {
    LookAtMemory();
    const auto late = MonotonicSeconds() - started_ - static_cast<double>(limits_.seconds);
    if (limits_.seconds <= 0 || late < 0) continue;
    if (!is_late_.exchange(true)) stop_.request_stop();
    if (late > kSecondsToStop) EndProcess(TookTooLong(limits_));
  }
}

void RunWatch::LookAtMemory() {
  if (limits_.memory_mib <= 0) return;
  if (auto used = ResidentMib(::getpid()); used > limits_.memory_mib) EndProcess(TookTooMuch(limits_, used));
}

void RunWatch::EndProcess(const std::string& why) {
  emit_(scoring::Failed{ErrorKind::kTooLarge, why, true});
  ::_exit(1);
}

}  // namespace slipway::cli
