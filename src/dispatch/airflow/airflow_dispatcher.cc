#include "dispatch/airflow/airflow_dispatcher.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/ids.h"
#include "base/log.h"
#include "dispatch/airflow/dag_keeper.h"
#include "dispatch/airflow/run_keeper.h"
#include "dispatch/contained.h"

namespace slipway::dispatch {
namespace {

constexpr auto kWhileUnderWay = std::chrono::seconds{1};
constexpr auto kAirflow = "airflow";  // what one server at a time holds
constexpr int kHoldSeconds = 20;

class AirflowDispatcher final : public deployments::Dispatcher {
 public:
  AirflowDispatcher(deployments::Store& store, const Clock& clock, AirflowOptions options)
      : store_(store),
        options_(std::move(options)),
        airflow_(options_.airflow),
        dags_(store, clock, airflow_, options_),
        runs_(store, clock, airflow_, options_) {}
  ~AirflowDispatcher() override { Stop(); }

  void Start() override {
    thread_ = std::jthread([this](const std::stop_token& stop) { Loop(stop); });
  }

  void Stop() override {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }

  void Wake() override {
    {
      std::lock_guard lock(mutex_);
      woken_ = true;
    }
    changed_.notify_all();
  }

  double SecondsSinceLastRound() const override { return MonotonicSeconds() - last_round_; }
  void Prepare(deployments::Deployment& deployment) const override { DagKeeper::Prepare(deployment, options_.dags); }
  bool OwnsCancellation(const deployments::Run& run) const override { return run.leased_by || run.airflow_run_id; }

 private:
  void Loop(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      auto under_way = Contained([&] { return Round(); });
      if (!under_way) Log(LogLevel::kError, "airflow_round_failed", {{"error", under_way.error().message}});
      last_round_ = MonotonicSeconds();
      std::unique_lock lock(mutex_);
      auto pause = under_way && *under_way ? kWhileUnderWay : std::chrono::seconds{options_.poll_seconds};
      changed_.wait_for(lock, stop, pause, [&] { return woken_; });
      woken_ = false;
    }
    if (auto released = store_.Hold(kAirflow, server_, 0); !released)
      Log(LogLevel::kWarning, "release_failed", {{"error", released.error().message}});
  }

  /// Whether something is under way. Only the server that holds Airflow does anything.
  Result<bool> Round() {
    ASSIGN(auto held, store_.Hold(kAirflow, server_, kHoldSeconds));
    if (!held) return false;
    ASSIGN(auto before, store_.DagDeployments(options_.scope));
    ASSIGN(auto unsettled, dags_.Round(before));
    ASSIGN(auto deployments, store_.DagDeployments(options_.scope));
    ASSIGN(auto open, runs_.Round(deployments));
    return unsettled || open;
  }

  deployments::Store& store_;
  AirflowOptions options_;
  AirflowClient airflow_;
  DagKeeper dags_;
  RunKeeper runs_;
  std::string server_ = NewUuid();
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool woken_ = false;
  std::atomic<double> last_round_ = MonotonicSeconds();
  std::jthread thread_;
};

}  // namespace

std::unique_ptr<deployments::Dispatcher> MakeAirflowDispatcher(deployments::Store& store, const Clock& clock,
                                                               AirflowOptions options) {
  return std::make_unique<AirflowDispatcher>(store, clock, std::move(options));
}

}  // namespace slipway::dispatch
