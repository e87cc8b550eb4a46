#include "dispatch/local_dispatcher.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/format.h"
#include "base/ids.h"
#include "base/log.h"
#include "deployments/cron.h"
#include "dispatch/contained.h"
#include "dispatch/given_up.h"
#include "dispatch/run_process.h"

namespace slipway::dispatch {
namespace {

using deployments::Deployment;
using deployments::Run;
using deployments::RunCause;
using deployments::RunStatus;
using namespace std::chrono_literals;

constexpr auto kWhileRunning = 20ms, kWhileIdle = 500ms, kLongestPause = 5000ms;
constexpr size_t kMostMissedTicks = 1000;
constexpr double kLeaseForCommits = 0.8, kBetweenLooks = 0.5;

class LocalDispatcher final : public deployments::Dispatcher {
 public:
  LocalDispatcher(deployments::Store& given, const Clock& a_clock, LocalOptions chosen)
      : store(given),
        clock(a_clock),
        options(std::move(chosen)),
        given_up(options.data_dir, options.program, options.environment,
                 options.lease_seconds + iceberg::kSecondsToPublish) {}
  ~LocalDispatcher() override { Stop(); }

  void Start() override {
    thread = std::thread([this] { Loop(); });
  }
  void Stop() override {
    {
      std::lock_guard lock(mutex);
      stopped = true;
    }
    changed.notify_all();
    if (thread.joinable()) thread.join();
  }
  void Wake() override {
    {
      std::lock_guard lock(mutex);
      woken = true;
    }
    changed.notify_all();
  }
  double SecondsSinceLastRound() const override { return MonotonicSeconds() - last_round; }
  void Prepare(deployments::Deployment& deployment) const override {
    deployment.status = deployments::DeploymentStatus::kActive;
    deployment.error_message.reset();
  }
  bool OwnsCancellation(const Run& run) const override { return run.leased_by.has_value(); }

 private:
  deployments::Store& store;
  const Clock& clock;
  LocalOptions options;
  GivenUp given_up;                ///< touched by the thread alone
  std::string server = NewUuid();  ///< holds leases
  std::mutex mutex;
  std::condition_variable changed;
  bool woken = false, stopped = false;
  std::atomic<double> last_round = MonotonicSeconds();
  double renewed_at = MonotonicSeconds();
  int failed_rounds = 0;                      ///< one after the other; touched by the thread alone
  bool failed = false;                        ///< something in this round
  std::map<std::string, RunProcess> watched;  ///< by run id; touched by the thread alone
  std::thread thread;

  void Loop() {
    Do("recovery_failed", [&] { return TakeOver(!options.shared); });
    while (true) {
      bool was_woken = Wait();
      if (stopped) break;
      failed = false;
      Do("ticks_failed", [&] { return FireTicks(); });
      Do("leases_failed", [&] { return KeepLeases(was_woken); });
      Do("start_failed", [&] { return StartQueued(); });
      for (auto it = watched.begin(); it != watched.end();) it = Watch(it->second) ? std::next(it) : watched.erase(it);
      Do("clean_up_failed", [&] { return given_up.Round(); });
      failed_rounds = failed ? failed_rounds + 1 : 0;
      last_round = MonotonicSeconds();
    }
    if (options.shared) HandOver();
  }

  bool Wait() {
    std::unique_lock lock(mutex);
    if (failed_rounds > 0) {
      // Nobody's haste brings a store back. A lease is looked at often enough all the same.
      auto longest = std::min<std::chrono::milliseconds>(kLongestPause, options.lease_seconds * 100ms);
      changed.wait_for(lock,
                       std::min<std::chrono::milliseconds>(longest, kWhileRunning * (1 << std::min(failed_rounds, 10))),
                       [&] { return stopped; });
    } else {
      changed.wait_for(
          lock, watched.empty() ? std::chrono::milliseconds(kWhileIdle) : std::chrono::milliseconds(kWhileRunning),
          [&] { return stopped || woken; });
    }
    return std::exchange(woken, false);
  }

  static void Report(const Result<>& result, std::string_view event) {
    if (!result) Log(LogLevel::kError, event, {{"error", result.error().message}});
  }

  /// A part of a round. What goes wrong in it is logged, and the others go on.
  template <typename Work>
  void Do(std::string_view event, Work&& work) {
    auto done = Contained(std::forward<Work>(work));
    failed |= !done;
    Report(done, event);
  }

  Result<> FireTicks() {
    auto now = clock.Now();
    ASSIGN(auto due, store.DueDeployments(now, options.scope));
    for (const auto& deployment : due)
      if (auto fired = Contained([&] { return FireTick(deployment, now); }); !fired)
        Report(Note(deployment, fired.error()), "note_failed");
    return {};
  }

  Result<> FireTick(const Deployment& deployment, Timestamp now) {
    if (deployment.damage) return Fail(ErrorKind::kCorrupt, *deployment.damage);
    if (!deployment.schedule || !deployment.next_tick) return {};
    ASSIGN(auto cron, deployments::Cron::Parse(*deployment.schedule));
    std::vector<Run> runs;
    auto tick = *deployment.next_tick;
    for (; tick <= now && runs.size() < kMostMissedTicks; tick = cron.Next(tick, options.zone)) {
      if (!options.every_missed_tick) runs.clear();
      runs.push_back(NewRun(deployment, RunCause::kSchedule, tick, now));
    }
    ASSIGN(auto fired, store.FireTick(deployment, tick, runs));
    if (!fired) return {};
    for (const auto& run : runs)
      Log(LogLevel::kInfo, "tick",
          {{"deployment", deployment.name},
           {"run_id", run.run_id},
           {"logical_date", FormatTimestamp(run.logical_date)}});
    return {};
  }

  /// A deployment whose tick cannot be fired: where trying again is of no use it becomes failed, and tells why.
  Result<> Note(const Deployment& deployment, const Error& error) {
    Log(LogLevel::kError, "tick_failed",
        {{"deployment", deployment.name}, {"model", deployment.model}, {"error", error.message}});
    if (error.kind != ErrorKind::kInvalid && error.kind != ErrorKind::kCorrupt && error.kind != ErrorKind::kInternal)
      return {};
    TRY(store.ChangeDeployment(deployment.deployment_id, [&](Deployment& stored) -> Result<> {
      if (stored.updated_at != deployment.updated_at) return {};
      stored.status = deployments::DeploymentStatus::kFailed;
      stored.error_message = error.message;
      return {};
    }));
    return {};
  }

  /// Renews in time, ends what was cancelled or lost, takes over what others left. Looks at once when `now`.
  Result<> KeepLeases(bool now) {
    double asked = MonotonicSeconds(), since = asked - renewed_at;
    // Others may have cancelled what runs here: that is looked for more often than leases need.
    double pause = options.lease_seconds / 4.0;
    if (!now && since < (watched.empty() ? pause : std::min(pause, kBetweenLooks))) return {};
    auto held = store.RenewLeases(server, options.lease_seconds);
    if (!held) {
      // Nobody may take a run over while its process lives: it ends before the lease does.
      if (options.shared && since > options.lease_seconds * 0.7) Abandon();
      return Failure(held.error());
    }
    renewed_at = asked;
    std::map<std::string, const Run*> mine;
    for (const auto& run : *held) mine[run.run_id] = &run;
    for (auto it = watched.begin(); it != watched.end();) {
      auto found = mine.find(it->first);
      if (found == mine.end()) {
        Log(LogLevel::kWarning, "lease_lost", {{"run_id", it->first}});
        it->second.Kill();
        it = watched.erase(it);
        continue;
      }
      if (found->second->cancelled_by) it->second.Cancel(*found->second->cancelled_by);
      it->second.Extend(LeaseUntil(asked));
      ++it;
    }
    for (const auto& [id, run] : mine)
      if (!watched.contains(id)) TRY(Adopt(*run));  // claimed, and then the store did not answer
    return options.shared ? TakeOver(false) : Result<>();
  }

  /// Until when a scoring process may commit under a lease that was asked for at `asked`: some time before others may
  /// take it over.
  double LeaseUntil(double asked) const { return asked + options.lease_seconds * kLeaseForCommits; }

  void Abandon() {
    for (auto& [id, process] : watched) {
      Log(LogLevel::kError, "lease_cannot_be_renewed", {{"run_id", id}});
      process.Kill();
    }
    watched.clear();
  }

  Result<> TakeOver(bool all) {
    ASSIGN(auto taken, store.TakeOver(server, options.lease_seconds, all));
    for (auto& run : taken) {
      Log(LogLevel::kInfo, "run_taken_up", {{"run_id", run.run_id}});
      TRY(Adopt(run));
    }
    return {};
  }

  /// The processes end cleanly, and their runs wait for another server; the attempt does not count.
  void HandOver() {
    for (auto& [id, process] : watched) process.Terminate();
    for (auto& [id, process] : watched) {
      process.AwaitEnd();
      Do("hand_over_failed", [&] { return Record(process.run(), process.Outcome(true)); });
    }
  }

  Result<> StartQueued() {
    while (watched.size() < static_cast<size_t>(options.processes)) {
      double asked = MonotonicSeconds();
      ASSIGN(auto run, store.ClaimRun(server, options.lease_seconds, clock.Now(), options.scope));
      if (!run) return {};
      ASSIGN(auto* process, Adopt(*run, true));
      if (process == nullptr) continue;
      if (auto started = Contained([&] { return process->Start(LeaseUntil(asked)); }); !started) {
        watched.erase(run->run_id);
        TRY(Record(*run, RunEnd{.status = RunStatus::kFailed, .error_message = started.error().message}));
        continue;
      }
      Log(LogLevel::kInfo, "run_started", {{"run_id", run->run_id}, {"attempt", std::to_string(run->attempt)}});
    }
    return {};
  }

  /// Watches a run that is this server's. Null for one that cannot be, or has not the rights to start: it is recorded
  /// as failed.
  Result<RunProcess*> Adopt(const Run& run, bool starts = false) {
    auto process = Contained([&]() -> Result<RunProcess> {
      ASSIGN(auto deployment, store.FindDeploymentById(run.deployment_id));
      if (starts && options.may_run && !deployment.damage) TRY(options.may_run(deployment));
      return RunProcess::Of(run, deployment, options);
    });
    if (process) return &watched.insert_or_assign(run.run_id, std::move(*process)).first->second;
    if (process.error().kind == ErrorKind::kUnavailable) return Failure(process.error());
    TRY(Record(run, RunEnd{.status = RunStatus::kFailed, .error_message = process.error().message}));
    return nullptr;
  }

  /// False when the run is over and that is recorded.
  bool Watch(RunProcess& process) {
    bool over = process.IsOver();  // before the last read, so that nothing it wrote is missed
    Do("progress_failed", [&]() -> Result<> {
      auto rows = process.ReadEvents();
      return rows ? store.ReportProgress(process.run().run_id, *rows) : Result<>();
    });
    Do("log_failed", [&]() -> Result<> {
      auto log = process.NewLog(over);
      return log ? store.KeepLog(process.run().run_id, *log) : Result<>();
    });
    if (!over) return true;
    auto outcome = Contained([&] { return process.Outcome(false); });
    auto recorded = Contained([&] { return Record(process.run(), outcome); });
    failed |= !recorded;
    Report(recorded, "record_failed");
    return !recorded && recorded.error().kind != ErrorKind::kConflict;  // what could not be stored is tried again
  }

  Result<> Record(const Run& run, const Result<RunEnd>& outcome) {
    RunEnd end = outcome ? *outcome : RunEnd{.status = RunStatus::kFailed, .error_message = outcome.error().message};
    auto changed = store.ChangeRun(run.run_id, [&](Run& stored) -> Result<> {
      if (stored.leased_by != server) return Fail(ErrorKind::kConflict, "the run is another server's now");
      stored.status = end.status;
      stored.error_message = end.error_message;
      if (end.status == RunStatus::kQueued && !end.counts) --stored.attempt;
      if (end.again_after > 0) stored.next_attempt_at = clock.Now() + std::chrono::seconds(end.again_after);
      if (end.rows) stored.rows_scored = end.rows;
      if (end.left_out > 0) stored.rows_left_out = end.left_out;
      if (end.snapshot_id) stored.snapshot_id = end.snapshot_id;
      if (end.model_version) stored.model_version = end.model_version;
      if (IsFinal(end.status)) stored.finished_at = clock.Now();
      return {};
    });
    TRY(changed);
    Log(LogLevel::kInfo, IsFinal(end.status) ? "run_ended" : "run_queued_again",
        {{"run_id", run.run_id},
         {"status", std::string(ToString(end.status))},
         {"error", end.error_message.value_or("")}});
    if (IsFinal(end.status) && options.ended) options.ended(*changed, end.stage_seconds);
    return {};
  }
};

}  // namespace

std::unique_ptr<deployments::Dispatcher> MakeLocalDispatcher(deployments::Store& store, const Clock& clock,
                                                             LocalOptions options) {
  return std::make_unique<LocalDispatcher>(store, clock, std::move(options));
}

}  // namespace slipway::dispatch
