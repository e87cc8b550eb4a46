#include "dispatch/run_process.h"

#include <signal.h>
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "base/format.h"
#include "base/log.h"
#include "deployments/window.h"
#include "dispatch/child.h"
#include "dispatch/elsewhere.h"
#include "dispatch/given_up.h"
#include "dispatch/lease.h"
#include "scoring/run_files.h"

namespace slipway::dispatch {
namespace {

namespace fs = std::filesystem;
using deployments::RunStatus;

constexpr double kSecondsToEnd = 10, kSecondsToEndItself = 20, kSecondsBetweenLogs = 1;
constexpr auto kLogName = "stderr.log";

/// By the stages' names, for the metrics; none where the process did not tell.
std::map<std::string, double> SecondsOf(const std::optional<scoring::Stages>& stages) {
  if (!stages) return {};
  return {{"decode", stages->decode}, {"filter", stages->filter}, {"score", stages->score}, {"write", stages->write}};
}

}  // namespace

fs::path RunProcess::Folder() const { return fs::path(options_->data_dir) / "runs" / run_.run_id; }

Result<RunProcess> RunProcess::Of(deployments::Run run, const deployments::Deployment& deployment,
                                  const LocalOptions& options) {
  ASSIGN(auto job, deployments::JobOf(run, deployment, options.zone, options.places));
  job.limits = LimitsFor(deployment.spec, options.limits);
  return RunProcess(std::move(run), std::move(job), RetriesFor(deployment.spec, options.retry), options);
}

Result<> RunProcess::Start(double lease_until) {
  auto folder = Folder();
  TRY(CreateFolders(folder));
  // An attempt that does not count (it was handed over, or nobody knows how its commit ended) may have left files too.
  if (fs::exists(folder / "job.json")) job_.attempt = std::max(job_.attempt, 2);
  TRY(WriteFileAtomically(folder / "job.json", boost::json::serialize(ToJson(job_))));
  std::vector<std::string> arguments{options_->program, "score", "--job", (folder / "job.json").string()};
  if (options_->shared) {
    TRY(WriteLease(folder / "lease", lease_until));
    arguments.insert(arguments.end(),
                     {"--while-parent", std::to_string(::getpid()), "--lease", (folder / "lease").string()});
  }
  auto events = folder / fmt::format("events-{}.jsonl", run_.attempt);
  ASSIGN(pid_, StartChild(arguments, options_->environment, events, folder / kLogName));
  watched_since_ = MonotonicSeconds();
  return WriteFileAtomically(folder / "pid", std::to_string(pid_));
}

void RunProcess::Extend(double lease_until) {
  if (pid_ == 0 || !options_->shared) return;
  if (auto written = WriteLease(Folder() / "lease", lease_until); !written)
    Log(LogLevel::kError, "lease_not_written", {{"run_id", run_.run_id}, {"error", written.error().message}});
}

void RunProcess::Signal(int signal) {
  if (pid_ != 0) {
    if (!reaped_) ::kill(pid_, signal);
    return;
  }
  // An earlier server's: its number holds while the lock is held.
  auto lock = FileLock::TryTake(Folder() / "lock");
  if (lock || lock.error().kind != ErrorKind::kConflict) return;
  auto text = ReadFile(Folder() / "pid", 32);
  if (int pid = text ? std::atoi(text->c_str()) : 0; pid > 1) ::kill(pid, signal);
}

void RunProcess::Cancel(const std::string& by) {
  if (cancelled_by_) return;
  cancelled_by_ = by;
  Terminate();
}

void RunProcess::Terminate() {
  Signal(SIGTERM);
  kill_at_ = MonotonicSeconds() + kSecondsToEnd;
}

void RunProcess::Kill() {
  Signal(SIGKILL);
  AwaitEnd();
}

/// A run ends itself when its time is over, and says so. One that cannot, since it hangs or was halted, is killed
/// later.
void RunProcess::HoldToItsTime() {
  const auto seconds = static_cast<double>(job_.limits.seconds);
  if (seconds <= 0 || overran_ || MonotonicSeconds() < watched_since_ + seconds + kSecondsToEndItself) return;
  overran_ = true;
  Signal(SIGKILL);
}

bool RunProcess::IsOver() {
  HoldToItsTime();
  if (kill_at_ > 0 && MonotonicSeconds() > kill_at_) Signal(SIGKILL);
  if (pid_ != 0) {
    if (!reaped_) reaped_ = TryReap(pid_).has_value();
    return reaped_;
  }
  auto lock = FileLock::TryTake(Folder() / "lock");
  return lock || lock.error().kind != ErrorKind::kConflict;
}

void RunProcess::AwaitEnd() {
  while (!IsOver()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

std::optional<int64_t> RunProcess::ReadEvents() {
  std::ifstream file(Folder() / fmt::format("events-{}.jsonl", run_.attempt));
  file.seekg(read_);
  std::optional<int64_t> rows;
  for (std::string line; std::getline(file, line) && !file.eof();) {
    read_ += static_cast<std::streamoff>(line.size()) + 1;
    auto event = scoring::ParseEvent(line);
    if (!event) continue;  // not ours: what a library printed, or a line that was cut off
    if (const auto* progress = std::get_if<scoring::Progress>(&*event)) rows = progress->scored;
    if (const auto* stages = std::get_if<scoring::Stages>(&*event)) stages_ = *stages;
    if (const auto* committed = std::get_if<scoring::Committed>(&*event)) committed_ = *committed;
    if (const auto* failed = std::get_if<scoring::Failed>(&*event)) failed_ = *failed;
  }
  return rows;
}

std::optional<deployments::RunLog> RunProcess::NewLog(bool now) {
  if (!now && MonotonicSeconds() < look_at_log_) return std::nullopt;
  look_at_log_ = MonotonicSeconds() + kSecondsBetweenLogs;
  std::error_code none;
  auto path = Folder() / kLogName;
  auto size = fs::file_size(path, none);
  if (none || size == logged_) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  auto start = size - std::min<std::uintmax_t>(size, deployments::RunLog::kMost);
  file.seekg(static_cast<std::streamoff>(start));
  std::string tail(size - start, '\0');
  file.read(tail.data(), static_cast<std::streamsize>(tail.size()));
  tail.resize(static_cast<size_t>(file.gcount()));
  logged_ = start + tail.size();
  return deployments::MakeRunLog(tail, static_cast<int64_t>(logged_));
}

/// Something was away, which may be back later.
RunEnd RunProcess::TriedAgain(const std::string& why, bool counts) const {
  return {.status = RunStatus::kQueued,
          .error_message =
              counts ? fmt::format("{}; attempt {} of {} has failed", why, run_.attempt, retry_.retries + 1) : why,
          .counts = counts,
          .again_after = std::max<int64_t>(retry_.PauseAfter(run_.attempt), counts ? 0 : 1)};
}

Result<RunEnd> RunProcess::Outcome(bool hand_over) {
  ReadEvents();
  auto succeeded = [&](const auto& done) {
    return RunEnd{.status = RunStatus::kSucceeded,
                  .rows = done.rows,
                  .snapshot_id = done.snapshot_id,
                  .model_version = done.model_version,
                  .stage_seconds = SecondsOf(stages_),
                  .left_out = done.left_out};
  };
  if (committed_) return succeeded(*committed_);
  if (hand_over && !cancelled_by_)
    return RunEnd{
        .status = RunStatus::kQueued, .error_message = "the server was stopped; another one goes on", .counts = false};
  // Whether it has committed is found out by the next attempt, however many there were.
  if (failed_ && failed_->kind == ErrorKind::kPerhapsCommitted)
    return RunEnd{.status = RunStatus::kQueued, .error_message = failed_->message, .counts = false};
  bool ended_itself = !cancelled_by_ && !overran_;
  if (failed_ && ended_itself && !failed_->cut_off && failed_->kind == ErrorKind::kUnavailable &&
      run_.attempt <= retry_.retries)
    return TriedAgain(failed_->message, true);
  bool again = !failed_ && ended_itself && run_.attempt < options_->attempts;
  if (again) return RunEnd{.status = RunStatus::kQueued, .error_message = "the process was lost; trying again"};
  // An attempt that told of its failure has deleted what it had made; one that was lost has not.
  bool left_files = !failed_ || failed_->cut_off || run_.attempt > 1;
  if (left_files) {
    if (auto added = GivenUp::Add(options_->data_dir, job_); !added)
      Log(LogLevel::kWarning, "not_tidied_up", {{"run_id", run_.run_id}, {"error", added.error().message}});
  }
  if (failed_ && !failed_->cut_off && !cancelled_by_)
    return RunEnd{.error_message = run_.attempt == 1 ? failed_->message
                                                     : fmt::format("{} (attempt {})", failed_->message, run_.attempt)};
  // The last attempt may have committed and died before it could say so.
  auto found = scoring::FindOutcome(job_, *options_->catalogs);
  if (!found && found.error().kind == ErrorKind::kTooLarge)
    found = FindOutcomeElsewhere({options_->program, options_->environment}, job_);
  if (!found && found.error().kind == ErrorKind::kUnavailable && ended_itself)
    return TriedAgain(found.error().message, false);
  TRY(found);
  if (const auto& done = *found) return succeeded(*done);
  if (cancelled_by_) return RunEnd{.error_message = fmt::format("cancelled by {}", *cancelled_by_)};
  if (failed_) return RunEnd{.error_message = failed_->message};
  if (overran_) return RunEnd{.error_message = TookTooLong(job_.limits)};
  return RunEnd{.error_message = fmt::format(
                    "the scoring process was lost {} times; `slipway logs` shows what it wrote", run_.attempt)};
}

}  // namespace slipway::dispatch
