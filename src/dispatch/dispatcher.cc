#include "dispatch/dispatcher.h"

#include <signal.h>

#include <boost/json/serialize.hpp>
#include <condition_variable>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "base/file.h"
#include "base/format.h"
#include "base/ids.h"
#include "base/log.h"
#include "dispatch/child.h"
#include "dispatch/cron.h"
#include "dispatch/work_of.h"
#include "scoring/progress.h"
#include "scoring/run.h"

namespace slipway::dispatch {
namespace {

namespace fs = std::filesystem;
using deployments::Run;
using deployments::RunChange;
using deployments::RunStatus;
using namespace std::chrono_literals;

constexpr auto kWhileRunning = 20ms, kWhileIdle = 500ms;

/// A run being watched: its process if it is our child, and how far its events were read.
struct Watched {
  Run run;
  int pid = 0;  ///< 0: started by an earlier server
  std::streamoff read = 0;
  std::optional<scoring::Event> last;
};

}  // namespace

struct Dispatcher::State {
  deployments::Store& store;
  const Clock& clock;
  DispatchOptions options;
  std::mutex mutex;
  std::condition_variable changed;
  bool woken = false, stopped = false;
  std::map<std::string, Watched> watched;  ///< by run id; touched by the thread alone
  std::thread thread;

  fs::path FolderOf(const std::string& run_id) const { return fs::path(options.data_dir) / "runs" / run_id; }

  void Loop() {
    TakeUp();
    while (true) {
      Report(FireTicks(), "ticks_failed");
      Report(StartQueued(), "start_failed");
      for (auto it = watched.begin(); it != watched.end();) it = Watch(it->second) ? std::next(it) : watched.erase(it);
      std::unique_lock lock(mutex);
      changed.wait_for(lock, watched.empty() ? std::chrono::milliseconds(kWhileIdle) : std::chrono::milliseconds(kWhileRunning),
                       [&] { return stopped || woken; });
      if (stopped) return;
      woken = false;
    }
  }

  static void Report(const Result<>& result, std::string_view event) {
    if (!result) Log(LogLevel::kError, event, {{"error", result.error().message}});
  }

  /// Watches the runs that an earlier server started; whether their processes live is seen by their locks.
  void TakeUp() {
    auto running = store.RunsInStatus(RunStatus::kRunning);
    if (!running) return Log(LogLevel::kError, "recovery_failed", {{"error", running.error().message}});
    for (auto& run : *running) {
      Log(LogLevel::kInfo, "run_taken_up", {{"run_id", run.run_id}});
      auto id = run.run_id;
      watched.emplace(id, Watched{std::move(run), 0, 0, std::nullopt});
    }
  }

  /// Ticks that were missed while nothing ran make one run, for the latest.
  Result<> FireTicks() {
    auto now = clock.Now();
    ASSIGN(auto due, store.DueDeployments(now));
    for (const auto& deployment : due) {
      ASSIGN(auto cron, Cron::Parse(*deployment.schedule));
      auto tick = *deployment.next_tick;
      auto next = cron.Next(tick);
      while (next <= now) {
        tick = next;
        next = cron.Next(tick);
      }
      Run run{.run_id = NewUuid(), .deployment_id = deployment.deployment_id, .logical_date = tick};
      TRY(store.CreateRun(run, next));
      Log(LogLevel::kInfo, "tick", {{"deployment", deployment.name}, {"run_id", run.run_id}, {"logical_date", FormatTimestamp(tick)}});
    }
    return {};
  }

  Result<> StartQueued() {
    while (watched.size() < static_cast<size_t>(options.processes)) {
      ASSIGN(auto run, store.NextQueuedRun());
      if (!run) return {};
      if (auto started = StartRun(*run); !started) TRY(End(*run, Failed(started.error().message)));
    }
    return {};
  }

  Result<scoring::Job> JobOf(const Run& run) {
    ASSIGN(auto deployment, store.FindDeploymentById(run.deployment_id));
    scoring::Job job{run.run_id, deployment.model + "/" + deployment.name, run.logical_date, run.attempt, {}, options.places};
    ASSIGN(job.work, WorkOf(deployment));
    return job;
  }

  Result<> StartRun(Run run) {
    ++run.attempt;
    RunChange change{.status = RunStatus::kRunning, .attempt = run.attempt};
    if (!run.started_at) change.started_at = clock.Now();
    TRY(store.ChangeRun(run.run_id, change));
    run.status = RunStatus::kRunning;
    auto folder = FolderOf(run.run_id);
    TRY(CreateFolders(folder));
    ASSIGN(auto job, JobOf(run));
    TRY(WriteFileAtomically(folder / "job.json", boost::json::serialize(ToJson(job))));
    auto events = folder / fmt::format("events-{}.jsonl", run.attempt);
    ASSIGN(auto pid, StartChild({options.program, "score", "--job", (folder / "job.json").string()}, events, folder / "stderr.log"));
    Log(LogLevel::kInfo, "run_started", {{"run_id", run.run_id}, {"deployment", job.deployment}, {"attempt", std::to_string(run.attempt)}});
    auto id = run.run_id;
    watched.emplace(id, Watched{std::move(run), pid, 0, std::nullopt});
    return {};
  }

  /// Reads new events; false when the run is over.
  bool Watch(Watched& w) {
    bool over = IsOver(w);  // before the last read, so that nothing it wrote is missed
    ReadEvents(w);
    if (!over) return true;
    auto ended = Conclude(w);
    Report(ended, "record_failed");
    return !ended;  // a run whose end could not be stored is looked at again
  }

  bool IsOver(const Watched& w) const {
    if (w.pid != 0) return TryReap(w.pid).has_value();
    auto lock = FileLock::TryTake(FolderOf(w.run.run_id) / "lock");
    return lock || lock.error().kind != ErrorKind::kConflict;
  }

  void ReadEvents(Watched& w) {
    std::ifstream file(FolderOf(w.run.run_id) / fmt::format("events-{}.jsonl", w.run.attempt));
    file.seekg(w.read);
    int64_t rows = -1;
    for (std::string line; std::getline(file, line) && !file.eof();) {
      w.read += static_cast<std::streamoff>(line.size()) + 1;
      auto event = scoring::ParseEvent(line);
      if (!event) continue;
      if (event->name == "progress") rows = event->counts["scored"];
      w.last = std::move(*event);
    }
    if (rows >= 0) Report(store.ReportProgress(w.run.run_id, rows), "progress_failed");
  }

  static RunChange Failed(std::string message) { return {.status = RunStatus::kFailed, .error_message = std::move(message)}; }

  Result<> Conclude(const Watched& w) {
    if (w.last && w.last->name == "committed") {
      auto counts = w.last->counts;
      return End(w.run, {.status = RunStatus::kSucceeded,
                         .rows_scored = counts["rows"],
                         .snapshot_id = counts["snapshot_id"],
                         .model_version = w.last->texts.at("model_version")});
    }
    if (w.last && w.last->name == "failed") return End(w.run, Failed(w.last->texts.at("message")));
    if (w.run.attempt < options.attempts) {
      Log(LogLevel::kWarning, "run_lost", {{"run_id", w.run.run_id}, {"attempt", std::to_string(w.run.attempt)}});
      return store.ChangeRun(w.run.run_id, {.status = RunStatus::kQueued, .error_message = "the process was lost; trying again"});
    }
    auto committed = CleanUp(w.run);
    if (!committed) Report(Failure(committed.error()), "cleanup_failed");
    if (committed && *committed)
      return End(w.run, {.status = RunStatus::kSucceeded,
                         .rows_scored = (*committed)->rows,
                         .snapshot_id = (*committed)->snapshot_id,
                         .model_version = (*committed)->model_version});
    return End(w.run, Failed(fmt::format("the scoring process was lost {} times; see stderr.log of the run", w.run.attempt)));
  }

  /// The last attempt may have committed and died before it could say so, or left files.
  Result<std::optional<scoring::RunOutcome>> CleanUp(const Run& run) {
    ASSIGN(auto job, JobOf(run));
    ASSIGN(auto catalog, scoring::OpenCatalog(job.places));
    return scoring::CleanUp(job, *catalog);
  }

  Result<> End(const Run& run, RunChange change) {
    change.finished_at = clock.Now();
    TRY(store.ChangeRun(run.run_id, change));
    Log(LogLevel::kInfo, "run_ended",
        {{"run_id", run.run_id}, {"status", std::string(ToString(change.status))}, {"error", change.error_message.value_or("")}});
    return {};
  }
};

Dispatcher::Dispatcher(deployments::Store& store, const Clock& clock, DispatchOptions options)
    : state_(std::make_unique<State>(store, clock, std::move(options))) {}

Dispatcher::~Dispatcher() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopped = true;
  }
  state_->changed.notify_all();
  if (state_->thread.joinable()) state_->thread.join();
}

void Dispatcher::Start() {
  state_->thread = std::thread([this] { state_->Loop(); });
}

void Dispatcher::Wake() {
  {
    std::lock_guard lock(state_->mutex);
    state_->woken = true;
  }
  state_->changed.notify_all();
}

}  // namespace slipway::dispatch
