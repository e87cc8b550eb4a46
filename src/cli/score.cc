#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/environment.h"
#include "dispatch/lease.h"
#include "scoring/run.h"

namespace slipway::cli {
namespace {

/// The most memory that was resident. Not getrusage's: that begins with what the process that started this one had.
int64_t PeakKib() {
  auto status = ReadFile("/proc/self/status", size_t{1} << 16);
  auto at = status ? status->find("VmHWM:") : std::string::npos;
  return at == std::string::npos ? 0 : std::strtoll(status->c_str() + at + 6, nullptr, 10);
}

/// One run; events go to standard output as JSON lines. A lock beside the job tells others that the run lives.
Result<> Score(const std::string& file, int parent, const std::string& lease) {
  if (parent != 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) return Fail(ErrorKind::kCancelled, "the process that started this run is gone");
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
  auto emit = [](const scoring::Event& event) {
    fmt::print("{}\n", ToLine(event));
    std::fflush(stdout);
  };
  auto run = [&]() -> Result<scoring::RunOutcome> {
    ASSIGN(auto lock, FileLock::TryTake(std::filesystem::absolute(file).parent_path() / "lock"));
    ASSIGN(auto text, ReadFile(file, size_t{1} << 20));
    ASSIGN(auto job, scoring::ParseJob(text));
    if (job.places.python.interpreter.empty()) job.places.python.interpreter = PythonInterpreter();
    ASSIGN(auto sources, scoring::OpenSources(job.places, scoring::FromEnvironment(Environment(""), job.places)));
    scoring::CommitGuard guard;
    if (!lease.empty()) guard = [&] { return dispatch::CheckLease(lease); };
    return scoring::Run(job, sources, SystemClock(), emit, stop.get_token(), guard);
  };
  auto outcome = run();
  if (!outcome) {
    emit({"failed",
          {},
          {{"kind", std::string(ToString(outcome.error().kind))}, {"message", outcome.error().message}},
          {}});
    return Failure(outcome.error());
  }
  emit({"committed",
        {{"rows", outcome->rows},
         {"snapshot_id", outcome->snapshot_id},
         {"peak_kib", PeakKib()},
         {"already_committed", outcome->already_committed}},
        {{"model_version", outcome->model_version}},
        {}});
  return {};
}

/// What a run that was given up has left behind; nothing of it may be able to publish any more.
Result<> CleanUp(const std::string& file) {
  ASSIGN(auto text, ReadFile(file, size_t{1} << 20));
  ASSIGN(auto job, scoring::ParseJob(text));
  auto secrets = scoring::FromEnvironment(Environment(""), job.places);
  TRY(scoring::CleanUp(job, scoring::Catalogs(job.places.catalogs, secrets.catalogs)));
  return {};
}

}  // namespace

void AddScore(CLI::App& app, Context& context) {
  auto* score =
      app.add_subcommand("score", "execute one run from its job file; events as JSON lines on standard output");
  auto file = std::make_shared<std::string>();
  score->add_option("--job", *file, "the job file")->required();
  auto parent = std::make_shared<int>(0);
  score->add_option("--while-parent", *parent, "end with the process of this number, which started this one");
  auto lease = std::make_shared<std::string>();
  score->add_option("--lease", *lease, "a file that says until when this process may commit");
  auto clean_up = std::make_shared<bool>(false);
  score->add_flag("--clean-up", *clean_up,
                  "execute nothing: delete the files of a run that was given up and that no snapshot of its target "
                  "names. Only when none of its processes is left and its last commit cannot arrive any more");
  score->footer("Example:\n  slipway score --job slipway-data/runs/<run id>/job.json");
  score->callback([&context, file, parent, lease, clean_up] {
    context.chosen = [=] { return *clean_up ? CleanUp(*file) : Score(*file, *parent, *lease); };
  });
}

}  // namespace slipway::cli
