#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <thread>

#include "base/file.h"
#include "base/format.h"
#include "base/own_process.h"
#include "cli/commands.h"
#include "cli/environment.h"
#include "cli/run_watch.h"
#include "deployments/window.h"
#include "dispatch/lease.h"
#include "scoring/plan.h"
#include "scoring/plan_json.h"
#include "scoring/run.h"
#include "scoring/run_parts_json.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLargestJob = size_t{1} << 20;

/// The most memory that was resident. Not getrusage's: that begins with what the process that started this one had.
int64_t PeakKib() {
  auto status = ReadFile("/proc/self/status", size_t{1} << 16);
  auto at = status ? status->find("VmHWM:") : std::string::npos;
  return at == std::string::npos ? 0 : std::strtoll(status->c_str() + at + 6, nullptr, 10);
}

struct ScoreOptions {
  std::string job, deployment, run_id, logical_date;
  int attempt = 1;
  int parent = 0;
  std::string lease;
  scoring::PartSize size;
  bool prepare = false, finish = false, clean_up = false, plan = false, outcome = false;
  int64_t part = -1;

  fs::path Folder() const { return fs::absolute(job.empty() ? deployment : job).parent_path(); }
};

/// This machine's folder for models that were downloaded: a DAG cannot know it.
fs::path ModelCache() {
  auto environment = Environment("");
  if (const auto& cache = environment["SLIPWAY_MODEL_CACHE"]; !cache.empty()) return cache;
  return fs::path(environment["HOME"]) / ".cache" / "slipway" / "models";
}

Result<scoring::Job> JobOf(const ScoreOptions& options) {
  ASSIGN(auto text, ReadFile(options.job.empty() ? options.deployment : options.job, kLargestJob));
  scoring::Job job;
  if (!options.job.empty()) {
    ASSIGN(job, scoring::ParseJob(text));
  } else {
    ASSIGN(auto logical_date, Wrap(ParseTimestamp(options.logical_date), "--logical-date"));
    ASSIGN(auto window, deployments::WindowOfCarried(text, logical_date));
    ASSIGN(job, scoring::MakeJob(text, options.run_id, logical_date, window, options.attempt));
    job.places.registry.cache = ModelCache().string();
    job.places.python.cache = (ModelCache().parent_path() / "engines").string();
  }
  if (job.places.python.interpreter.empty()) job.places.python.interpreter = PythonInterpreter();
  return job;
}

void Emit(const scoring::Event& event) {
  fmt::print("{}\n", ToLine(event));
  std::fflush(stdout);
}

/// What a run that was given up has left behind; nothing of it may be able to publish any more.
Result<> CleanUp(const ScoreOptions& options) {
  ASSIGN(auto job, JobOf(options));
  job.limits.seconds = 0;  // whoever started this one waits no longer than it wants to
  const RunWatch watch(job.limits, std::stop_source(), Emit);
  auto secrets = scoring::FromEnvironment(Environment(""), job.places);
  TRY(scoring::CleanUp(job, scoring::Catalogs(job.places.catalogs, secrets.catalogs)));
  return {};
}

scoring::Committed CommittedBy(const scoring::RunOutcome& run, int64_t peak_kib) {
  return {run.rows, run.snapshot_id, run.model_version, run.already_committed, peak_kib, run.left_out};
}

/// What a server asks another process for, since it may be large: what a create checks, or whether a run has committed.
Result<> Look(const ScoreOptions& options) {
  ASSIGN(auto job, JobOf(options));
  job.places.python.interpreter.clear();  // nothing is scored
  const RunWatch watch(job.limits, std::stop_source(), Emit);
  auto secrets = scoring::FromEnvironment(Environment(""), job.places);
  if (options.outcome) {
    ASSIGN(auto found, scoring::FindOutcome(job, scoring::Catalogs(job.places.catalogs, secrets.catalogs)));
    if (found) Emit(CommittedBy(*found, 0));
    return {};
  }
  ASSIGN(auto sources, scoring::OpenSources(job.places, secrets));
  auto plan = scoring::MakePlan(job.work, sources, {job.logical_date, job.window}, SystemClock());
  scoring::PlanAnswer answer = std::unexpected(std::vector<scoring::Problem>());
  if (plan)
    answer = scoring::PlannedVersion{plan->model_version.version, plan->DeploymentField() != nullptr};
  else
    answer = std::unexpected(std::move(plan.error()));
  fmt::print("{}\n", ToText(answer));
  std::fflush(stdout);
  return {};
}

fs::path PreparedFile(const ScoreOptions& options) { return options.Folder() / "prepared.json"; }
fs::path PartFile(const ScoreOptions& options, int64_t part) {
  return options.Folder() / fmt::format("part-{}.json", part);
}

Result<std::vector<scoring::PartResult>> ReadResults(const ScoreOptions& options, const scoring::Prepared& prepared) {
  std::vector<scoring::PartResult> results;
  for (int64_t part = 0; part < std::ssize(prepared.parts); ++part) {
    auto text = ReadFile(PartFile(options, part));
    if (!text && text.error().kind == ErrorKind::kNotFound)
      return Fail(ErrorKind::kNotFound, "part {} was not done yet: {} is missing; do it with --part {}", part,
                  PartFile(options, part).string(), part);
    TRY(text);
    ASSIGN(auto result, Wrap(scoring::ParsePartResult(*text), PartFile(options, part).string()));
    results.push_back(std::move(result));
  }
  return results;
}

/// One of the three calls of a run; nothing comes back but from the last one, or where the run is done already.
Result<std::optional<scoring::RunOutcome>> DoStep(const ScoreOptions& options, const scoring::Job& job,
                                                  const scoring::Sources& sources, const std::stop_token& stop) {
  SystemClock clock;
  if (!options.finish || options.prepare) {
    ASSIGN(auto earlier, scoring::FindEarlier(job, sources.catalogs));
    if (earlier) return earlier;
  }
  if (options.prepare) {
    ASSIGN(auto prepared, scoring::Prepare(job, sources, clock, options.size));
    TRY(WriteFileAtomically(PreparedFile(options), ToText(prepared)));
    Emit(ToEvent(prepared));
    return std::nullopt;
  }
  ASSIGN(auto text, Wrap(ReadFile(PreparedFile(options)), "--prepare comes first"));
  ASSIGN(auto prepared, Wrap(scoring::ParsePrepared(text), PreparedFile(options).string()));
  if (!options.finish) {
    ASSIGN(auto result, scoring::ScorePart(job, prepared, options.part, sources, clock, Emit, stop));
    TRY(WriteFileAtomically(PartFile(options, options.part), ToText(result)));
    Emit(result.seconds);
    return std::nullopt;
  }
  ASSIGN(auto results, ReadResults(options, prepared));
  ASSIGN(auto outcome, scoring::Finish(job, prepared, results, sources, clock, {}));
  scoring::TidyUp(job, sources.catalogs);  // what a part has left that was done twice
  return outcome;
}

Result<std::optional<scoring::RunOutcome>> Execute(const ScoreOptions& options, const std::stop_source& stopping) {
  const auto stop = stopping.get_token();
  const bool step = options.prepare || options.part >= 0 || options.finish;
  std::optional<FileLock> lock;
  if (!step) {  // a lock beside the job tells others that the run lives; parts may be done by several processes
    ASSIGN(lock, FileLock::TryTake(options.Folder() / "lock"));
  }
  ASSIGN(auto job, JobOf(options));
  const RunWatch watch(job.limits, stopping, Emit);
  ASSIGN(auto sources, scoring::OpenSources(job.places, scoring::FromEnvironment(Environment(""), job.places)));
  if (step) return watch.Judge(DoStep(options, job, sources, stop));
  scoring::CommitGuard guard;
  if (!options.lease.empty()) guard = [&] { return dispatch::CheckLease(options.lease); };
  ASSIGN(auto outcome, watch.Judge(scoring::Run(job, sources, SystemClock(), Emit, stop, guard, options.size)));
  return outcome;
}

/// One run, or a step of one; events go to standard output as JSON lines.
Result<> Score(const ScoreOptions& options) {
  MakeUndumpable();
  if (options.parent != 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != options.parent) return Fail(ErrorKind::kCancelled, "the process that started this run is gone");
  }
  if (options.clean_up) return CleanUp(options);
  if (options.plan || options.outcome) {
    auto looked = Look(options);
    if (!looked) Emit(scoring::Failed{looked.error().kind, looked.error().message});
    return looked;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::stop_source stop;
  std::jthread waiter([&](const std::stop_token& done) {
    const auto self = ::pthread_self();
    const std::stop_callback wake(done, [self] { ::pthread_kill(self, SIGTERM); });
    while (!done.stop_requested())
      if (::sigwaitinfo(&signals, nullptr) > 0 && !done.stop_requested()) stop.request_stop();
  });
  auto outcome = Execute(options, stop);
  if (!outcome) {
    Emit(scoring::Failed{outcome.error().kind, outcome.error().message});
    return Failure(outcome.error());
  }
  if (const auto& run = *outcome) Emit(CommittedBy(*run, PeakKib()));
  return {};
}

void AddSteps(Command& score, ScoreOptions& options) {
  auto* parts = score.add_option_group("in parts", "a run in three calls, by as many processes as there are parts");
  parts->add_flag("--prepare", options.prepare,
                  "decide everything and cut the scan into parts: writes prepared.json beside the job file");
  parts->add_option("--part", options.part, "do part K, from 0: reads prepared.json, writes part-K.json beside it")
      .between(0, std::numeric_limits<int>::max());
  parts->add_flag("--finish", options.finish, "commit what all parts have made, in one snapshot");
  parts->add_flag(
      "--clean-up", options.clean_up,
      "delete the files of a run that was given up and that no snapshot of its target names. Only when none "
      "of its processes is left and its last commit cannot arrive any more");
  parts->add_flag("--plan", options.plan, "plan as a create does: the model's version, or the problems");
  parts->add_flag("--outcome", options.outcome, "only tell whether the target has the run");
  parts->require_option(0, 1);
  auto count = score.add_option("--parts", options.size.parts, "cut the scan into at most so many parts of whole files")
                   .positive();
  score.add_option("--part-rows", options.size.rows, "cut the scan into parts of about so many rows")
      .positive()
      .excludes(count);
}

}  // namespace

void AddScore(Command& app, Context& context) {
  auto* score =
      app.add_subcommand("score", "execute one run from its job file; events as JSON lines on standard output");
  auto options = std::make_shared<ScoreOptions>();
  auto* what = score->add_option_group("what", "a run, by its job file or as a run of a deployment");
  what->add_option("--job", options->job, "the job file");
  auto deployment = what->add_option("--deployment", options->deployment,
                                     "a file with a deployment's model, name, work and places, as its DAG carries it");
  what->require_option(1, 1);
  score->add_option("--run-id", options->run_id, "with --deployment: the run's id, a UUID").needs(deployment);
  score->add_option("--logical-date", options->logical_date, "with --deployment: 2024-03-01T06:00:00Z")
      .needs(deployment);
  score->add_option("--attempt", options->attempt, "with --deployment: counted from 1").needs(deployment);
  score->add_option("--while-parent", options->parent, "end with the process of this number, which started this one");
  score->add_option("--lease", options->lease, "a file that says until when this process may commit");
  AddSteps(*score, *options);
  score->footer(
      "Examples:\n  slipway score --job slipway-data/runs/<run id>/job.json\n"
      "  slipway score --job job.json --prepare --parts 4\n  slipway score --job job.json --part 0   (1, 2, 3)\n"
      "  slipway score --job job.json --finish");
  score->callback([&context, options] { context.chosen = [options] { return Score(*options); }; });
}

}  // namespace slipway::cli
