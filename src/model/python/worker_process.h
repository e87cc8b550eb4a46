#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/process.h"

namespace slipway::model {

/// What the process of a worker is given: open files that are 3, 4 and 5 there (worker.py), and a folder of its own.
struct WorkerFiles {
  int socket = -1, rows = -1, predictions = -1;
  int printed = -1;              ///< its standard output and error
  std::filesystem::path folder;  ///< where it runs, its HOME and its temporary folder
};

/// A Python process that runs worker.py: one that was started, or one that a zygote has forked.
class WorkerProcess {
 public:
  virtual ~WorkerProcess() = default;
  virtual int id() const = 0;
  /// Waits up to `seconds` for its end; nothing: it is still running.
  virtual std::optional<ProcessEnd> AwaitEnd(double seconds) = 0;
  /// Tells it to end, with all that it has started, and does not wait; from any thread.
  virtual void Stop() = 0;
  /// Ends it, and what it has started, at once.
  virtual ProcessEnd Kill() = 0;
};

/// Starts the interpreter. kUnsupported: it is not there.
Result<std::unique_ptr<WorkerProcess>> StartWorker(const std::string& interpreter, const WorkerFiles& files);

/// The environment of all Python processes of the engine, whose home is `folder`.
std::vector<std::string> PythonEnvironment(const std::filesystem::path& folder);

/// How the interpreter is called to run a program: nothing is imported from the folder that it runs in, nor from one
/// that the user has for modules of their own.
std::vector<std::string> PythonCommand(const std::string& interpreter, std::string program);

/// box.py and worker.py, without a call of any of their functions.
std::string WorkerProgram();

}  // namespace slipway::model
