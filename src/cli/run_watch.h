#pragma once

#include <atomic>
#include <stop_token>
#include <thread>

#include "scoring/events.h"
#include "scoring/job.h"

namespace slipway::cli {

/// Holds the run of this process to its limits. Over its time it is asked to stop, as if it were cancelled; over its
/// memory, or when it has not stopped some seconds later, the process ends on the spot: what it wanted to do is no
/// reason to let it take down its neighbours.
class RunWatch {
 public:
  /// `emit` is told before the process ends.
  RunWatch(scoring::RunLimits limits, std::stop_source stop, scoring::EventSink emit);

  /// What became of the run; kTooLarge for one that was stopped for its time.
  template <typename T>
  Result<T> Judge(Result<T> outcome) const {
    if (!outcome && outcome.error().kind == ErrorKind::kCancelled && is_late_)
      return Fail(ErrorKind::kTooLarge, TookTooLong(limits_));
    return outcome;
  }

 private:
  void Watch(const std::stop_token& done);
  void LookAtMemory();
  [[noreturn]] void EndProcess(const std::string& why);
  scoring::RunLimits limits_;
  std::stop_source stop_;
  scoring::EventSink emit_;
  double started_;
  std::atomic<bool> is_late_ = false;
  std::jthread thread_;
};

}  // namespace slipway::cli
