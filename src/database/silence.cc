#include "database/silence.h"

#include <sys/socket.h>

#include <utility>

#include "base/log.h"
#include "base/time.h"

namespace slipway {
namespace {

constexpr std::chrono::milliseconds kBetweenLooks{250};
constexpr double kBetweenProbes = 0.5;
constexpr double kSilentAfter = 2;  // seconds without an answer; a refused connection is an answer

}  // namespace

Watchdog::Watchdog() : thread_([this] { Watch(); }) {}

Watchdog::~Watchdog() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::Watch() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, kBetweenLooks, [&] { return stopped_; }))
    for (const auto& [socket, until] : watched_)
      if (MonotonicSeconds() >= until) ::shutdown(socket, SHUT_RDWR);
}

Watchdog::Watched::Watched(Watchdog& dog, int socket, double until) : dog_(dog) {
  std::lock_guard lock(dog_.mutex_);
  at_ = dog_.watched_.emplace(dog_.watched_.end(), socket, until);
}

Watchdog::Watched::~Watched() {
  std::lock_guard lock(dog_.mutex_);
  dog_.watched_.erase(at_);
}

Silence::Call::Call(Silence& silence, bool probes) : silence_(&silence), probes_(probes), begun_(MonotonicSeconds()) {}

Silence::Call::Call(Call&& other) noexcept
    : silence_(std::exchange(other.silence_, nullptr)), probes_(other.probes_), begun_(other.begun_) {}

Silence::Call::~Call() {
  if (silence_ == nullptr || !probes_) return;
  std::lock_guard lock(silence_->mutex_);
  silence_->probed_ = false;
  silence_->next_probe_ = MonotonicSeconds() + kBetweenProbes;
}

void Silence::Call::Told(bool answered) {
  bool silent = !answered && MonotonicSeconds() - begun_ >= kSilentAfter;
  std::lock_guard lock(silence_->mutex_);
  if (!answered && !silent) return;  // refused, or nobody asked it: nothing new is known
  if (silent != silence_->silent_)
    Log(silent ? LogLevel::kError : LogLevel::kInfo, silent ? "store_silent" : "store_answers_again");
  silence_->silent_ = silent;
}

std::optional<Silence::Call> Silence::Admit() {
  std::lock_guard lock(mutex_);
  if (!silent_) return Call(*this, false);
  if (probed_ || MonotonicSeconds() < next_probe_) return std::nullopt;
  probed_ = true;
  return Call(*this, true);
}

}  // namespace slipway
