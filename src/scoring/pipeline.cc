#include "scoring/pipeline.h"

#include <arrow/record_batch.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <queue>
#include <thread>
#include <vector>

#include "base/format.h"

namespace slipway::scoring {
namespace {

class Flow {
 public:
  explicit Flow(const Pipeline& pipeline) : pipeline_(pipeline) {}

  Result<> Run() {
    std::vector<std::jthread> threads;
    threads.emplace_back([this] { Feed(); });
    for (int i = 0; i < pipeline_.workers; ++i) threads.emplace_back([this] { Work(); });
    auto result = Drain();
    {
      std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    return result;  // the threads join here
  }

 private:
  using Outcome = Result<Batch>;

  void Feed() {
    for (size_t number = 0;; ++number) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stopped_ || number < drained_ + static_cast<size_t>(pipeline_.window); });
        if (stopped_) return;
      }
      auto batch = pipeline_.source();
      std::lock_guard lock(mutex_);
      if (!batch) results_.emplace(number, Outcome(Failure(batch.error())));
      if (!batch || *batch == nullptr) {
        end_ = batch ? number : number + 1;
        changed_.notify_all();
        return;
      }
      todo_.emplace(number, std::move(*batch));
      changed_.notify_all();
    }
  }

  void Work() {
    while (true) {
      std::pair<size_t, Batch> item;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stopped_ || !todo_.empty() || end_; });
        if (stopped_ || todo_.empty()) return;
        item = std::move(todo_.front());
        todo_.pop();
      }
      auto outcome = Wrap(pipeline_.stage(item.second), fmt::format("batch {}", item.first));
      std::lock_guard lock(mutex_);
      results_.emplace(item.first, std::move(outcome));
      changed_.notify_all();
    }
  }

  Result<> Drain() {
    for (size_t number = 0;; ++number) {
      std::optional<Outcome> outcome;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return results_.contains(number) || (end_ && number >= *end_); });
        auto found = results_.find(number);
        if (found == results_.end()) return {};
        outcome = std::move(found->second);
        results_.erase(found);
      }
      if (!*outcome) return Failure(outcome->error());
      TRY(pipeline_.sink(**outcome));
      std::lock_guard lock(mutex_);
      drained_ = number + 1;
      changed_.notify_all();
    }
  }

  const Pipeline& pipeline_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::queue<std::pair<size_t, Batch>> todo_;
  std::map<size_t, Outcome> results_;
  std::optional<size_t> end_;  ///< the number behind the last batch, once known
  size_t drained_ = 0;
  bool stopped_ = false;
};

}  // namespace

Result<> Pipeline::Run() const { return Flow(*this).Run(); }

}  // namespace slipway::scoring
