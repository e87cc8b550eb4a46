#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdlib>
#include <random>
#include <thread>

#include "scoring/run.h"
#include "scoring/small_lake.h"

namespace slipway::scoring {
namespace {

const std::vector<int64_t> kAllIds{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

/// Lets the attempts of a run go on one step at a time; a step ends before and after each word with the catalog.
class Steps {
 public:
  explicit Steps(size_t attempts) : states_(attempts, State::kGoing) {}

  /// An attempt has come to the end of a step, and waits for the next one.
  void Stand(size_t attempt) {
    std::unique_lock lock(mutex_);
    if (open_) return;
    states_[attempt] = State::kStanding;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_ || states_[attempt] == State::kGoing; });
  }
  void End(size_t attempt) {
    std::lock_guard lock(mutex_);
    states_[attempt] = State::kEnded;
    changed_.notify_all();
  }

  /// The attempts that stand, when none is going any more.
  std::vector<size_t> Standing() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return std::ranges::find(states_, State::kGoing) == states_.end(); });
    std::vector<size_t> standing;
    for (size_t i = 0; i < states_.size(); ++i)
      if (states_[i] == State::kStanding) standing.push_back(i);
    return standing;
  }
  void GoOn(size_t attempt) {
    std::lock_guard lock(mutex_);
    states_[attempt] = State::kGoing;
    changed_.notify_all();
  }
  /// Nobody stands any more.
  void Open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  enum class State { kGoing, kStanding, kEnded };
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<State> states_;
  bool open_ = false;
};

/// A catalog at each of whose doors an attempt stands, on its way in and, after a commit, on its way out.
class Doors final : public iceberg::Catalog {
 public:
  Doors(std::unique_ptr<iceberg::Catalog> real, Steps& steps, size_t attempt)
      : real_(std::move(real)), steps_(steps), attempt_(attempt) {}
  Result<iceberg::Table> Load(const iceberg::TableIdentifier& id) override {
    if (id.schema != "src") steps_.Stand(attempt_);
    return real_->Load(id);
  }
  Result<std::vector<iceberg::TableIdentifier>> List() override { return real_->List(); }
  Result<iceberg::Table> Stage(const iceberg::TableIdentifier& id, const iceberg::TableMetadata& wanted) override {
    steps_.Stand(attempt_);
    return real_->Stage(id, wanted);
  }
  Result<NewPlace> NewTablePlace(const iceberg::TableIdentifier& id) override { return real_->NewTablePlace(id); }
  Result<> Publish(const iceberg::TableUpdate& update) override {
    steps_.Stand(attempt_);
    auto published = real_->Publish(update);
    steps_.Stand(attempt_);
    return published;
  }

 private:
  std::unique_ptr<iceberg::Catalog> real_;
  Steps& steps_;
  size_t attempt_;
};

void RunIn(const SmallLake& lake, const Job& job, std::unique_ptr<iceberg::Catalog> catalog = nullptr) {
  auto sources = lake.Open(std::move(catalog));
  auto done = scoring::Run(job, sources, SystemClock(), [](const Event&) {}, {});
  EXPECT_TRUE(done) << "attempt " << job.attempt << ": " << done.error().message;
}

/// Nobody's rows, of another day: for conflicts.
void AnotherWriter(const SmallLake& lake, int day) {
  auto job = lake.NewJob();
  job.logical_date += std::chrono::days{day};
  job.window = DayOf(job.logical_date);
  job.work.source.filter_sql = "id < 0";
  RunIn(lake, job);
}

void ExpectOneCopy(const SmallLake& lake, const Job& job) {
  EXPECT_EQ(lake.TargetIds(), kAllIds);
  EXPECT_EQ(lake.CommitsOf(job.run_id), 1);
}

/// Two attempts of a run in one random order. One that is "killed" stands still until all others are done, and then
/// goes on after all: whatever a process that is gone, or hung, still has on its way arrives late.
void Interleave(unsigned seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  auto any = [&](size_t count) { return static_cast<size_t>(random() % count); };
  SmallLake lake;
  auto job = lake.NewJob(any(2) == 0 ? RerunBehavior::kOverwritePartition : RerunBehavior::kAppendDedup);
  if (any(2) == 0) AnotherWriter(lake, 1);  // the target is there already
  constexpr size_t kAttempts = 2;
  Steps steps(kAttempts);
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < kAttempts; ++i) {
    threads.emplace_back([&, i] {
      auto attempt = job;
      attempt.attempt = static_cast<int>(i) + 1;
      RunIn(lake, attempt, std::make_unique<Doors>(lake.OpenCatalog(), steps, i));
      steps.End(i);
    });
  }
  std::set<size_t> killed;
  int others = 0;
  size_t chosen = kAttempts;
  while (true) {
    auto standing = steps.Standing();
    std::erase_if(standing, [&](size_t i) { return killed.contains(i); });
    if (standing.empty()) break;
    bool stays = std::ranges::find(standing, chosen) != standing.end() && any(3) != 0;
    if (!stays) chosen = standing[any(standing.size())];  // mostly the same one goes on: who hangs does so for long
    if (any(8) == 0)
      killed.insert(chosen);
    else if (any(8) == 0)
      AnotherWriter(lake, 2 + others++);
    else
      steps.GoOn(chosen);
  }
  auto next = job;
  next.attempt = 3;
  RunIn(lake, next);
  ExpectOneCopy(lake, job);
  steps.Open();
  threads.clear();
  ExpectOneCopy(lake, job);
  EXPECT_LE(lake.DataFilesOf(job.run_id), 1) << "files that nobody names";
}

// SLIPWAY_INTERLEAVINGS=200 for many, SLIPWAY_SEED to begin elsewhere.
TEST(Run, TwoAttemptsInAnyOrderLeaveOneCopy) {
  const auto* count = std::getenv("SLIPWAY_INTERLEAVINGS");
  const auto* seed = std::getenv("SLIPWAY_SEED");
  const auto first = seed == nullptr ? 18U : static_cast<unsigned>(std::atoi(seed));
  const auto number = count == nullptr ? 20U : static_cast<unsigned>(std::atoi(count));
  for (unsigned i = 0; i < number && !::testing::Test::HasFailure(); ++i) Interleave(first + i);
}

}  // namespace
}  // namespace slipway::scoring
