#include "model/python/worker_process.h"

#include <csignal>

#include "base/format.h"

extern const char slipway_python_box[], slipway_python_box_end[];
extern const char slipway_python_worker[], slipway_python_worker_end[];

namespace slipway::model {
namespace {

constexpr double kSecondsToDie = 10;  // of all that a worker has started

/// What this process has started is the guard of the worker (box.py).
class StartedProcess final : public WorkerProcess {
 public:
  explicit StartedProcess(int pid) : pid_(pid) {}
  int id() const override { return pid_; }
  std::optional<ProcessEnd> AwaitEnd(double seconds) override { return slipway::AwaitEnd(pid_, seconds); }
  void Stop() override { ::kill(pid_, SIGTERM); }
  ProcessEnd Kill() override {
    Stop();
    auto end = slipway::AwaitEnd(pid_, kSecondsToDie);
    return end ? *end : KillProcess(pid_);
  }

 private:
  int pid_;
};

}  // namespace

std::vector<std::string> PythonEnvironment(const std::filesystem::path& folder) {
  return {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + folder.string(), "TMPDIR=" + folder.string(), "LANG=C.UTF-8",
          "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1", "NUMEXPR_NUM_THREADS=1",
          // Locks that processes share would lie in /dev/shm, which the box is closed to.
          "JOBLIB_MULTIPROCESSING=0",
          // Threads that libraries start when they are imported: a process that has any cannot be forked.
          "JE_ARROW_MALLOC_CONF=background_thread:false", "MLFLOW_DISABLE_TELEMETRY=true"};
}

std::vector<std::string> PythonCommand(const std::string& interpreter, std::string program) {
  return {interpreter, "-I", "-u", "-c", std::move(program)};
}

std::string WorkerProgram() {
  return std::string(slipway_python_box, slipway_python_box_end) +
         std::string(slipway_python_worker, slipway_python_worker_end);
}

Result<std::unique_ptr<WorkerProcess>> StartWorker(const std::string& interpreter, const WorkerFiles& files) {
  auto started = StartProcess({.arguments = PythonCommand(interpreter, WorkerProgram() + "\nmain()\n"),
                               .environment = PythonEnvironment(files.folder),
                               .folder = files.folder,
                               .printed = files.printed,
                               .descriptors = {files.socket, files.rows, files.predictions}});
  if (!started) return Fail(ErrorKind::kUnsupported, "{}; see python.interpreter", started.error().message);
  return std::make_unique<StartedProcess>(*started);
}

}  // namespace slipway::model
