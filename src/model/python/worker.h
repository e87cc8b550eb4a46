#pragma once

#include <arrow/type_fwd.h>

#include <boost/json/fwd.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/private_folder.h"
#include "model/mlflow/mlmodel.h"
#include "model/python/cgroup.h"
#include "model/python/other_user.h"
#include "model/python/python_engine.h"
#include "model/python/watch.h"
#include "model/python/worker_process.h"

namespace slipway::model {

/// A Python program that defines `export(model folder, file)`, and the modules that it imports, by name.
struct PythonProgram {
  std::string main;
  std::vector<std::pair<std::string, std::string>> modules;
  /// A folder that it installs something in, its output too: it may write there, and give files their modes. Empty: it
  /// is boxed as models are.
  std::filesystem::path installs_in = {};
};

/// A Python process that has a model loaded (worker.py): rows go to it and predictions come back as Arrow IPC in shared
/// memory. Its environment holds nothing of this process's, its working folder and HOME are a new one that is removed
/// afterwards. It is in a box (box.py, docs/decisions/0017-box.md), and dies with this process and with all that it has
/// started.
class Worker {
 public:
  /// kInvalid: the model cannot be loaded; kUnsupported: no interpreter, or one without mlflow.
  static Result<std::unique_ptr<Worker>> Start(const PythonEngine& engine, const MlModel& model,
                                               const std::shared_ptr<arrow::Schema>& outputs);
  /// Runs a program in such a process; what is left can Load the model. kInvalid: it refused the model
  /// (NotImplementedError), and would again; kUnsupported: it failed, perhaps for want of a library.
  static Result<std::unique_ptr<Worker>> Run(const PythonEngine& engine, const MlModel& model,
                                             const PythonProgram& program, const std::filesystem::path& output);
  /// Loads the model; errors as those of Start.
  Result<> Load(const std::filesystem::path& model, const std::shared_ptr<arrow::Schema>& outputs);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Predictions for `rows`. kInvalid: what the model raised; kUnsupported: its answer does not fit; the worker goes
  /// on. kUnavailable: the process crashed, took too long or too much memory; it is gone.
  Result<std::shared_ptr<arrow::RecordBatch>> Score(const arrow::RecordBatch& rows);
  /// Those that the model's library gives for its own columns, in its order, without pyfunc's look at the signature;
  /// `categories` of them are pandas categories.
  Result<std::shared_ptr<arrow::RecordBatch>> ScoreByLibrary(const arrow::RecordBatch& rows,
                                                             const std::vector<std::string>& categories);

  /// The rows of the model's input example, in columns of `inputs`; it may lack some. kInvalid: it has none, or it does
  /// not fit; kUnavailable as above.
  Result<std::shared_ptr<arrow::RecordBatch>> Example(const std::shared_ptr<arrow::Schema>& inputs);

  bool alive() const { return process_ != nullptr; }

 private:
  explicit Worker(const PythonEngine& engine) : engine_(engine) {}
  /// A process for the model, forked by a zygote where there is one.
  Result<> Spawn(const MlModel& model);
  Result<> StartWith(const MlModel& model, int socket);
  /// The model's folder where the process can read it.
  Result<std::filesystem::path> ModelOf(const std::filesystem::path& folder);
  /// What the process may do: close_box of box.py.
  boost::json::object Box(const std::filesystem::path& model, const std::filesystem::path& installs_in) const;
  /// Takes the file that a program has made in its folder, which may be anything.
  Result<> TakeOutput(const std::filesystem::path& output) const;
  /// Sends the settings and waits until the worker is ready.
  Result<> Begin(const boost::json::object& settings);
  Result<> Send(const std::string& line);
  Result<std::shared_ptr<arrow::RecordBatch>> AskToScore(const arrow::RecordBatch& rows,
                                                         const boost::json::object& request);
  /// Sends a request and reads the batch that answers it. kInvalid: what Python raised, behind `failing`.
  Result<std::shared_ptr<arrow::RecordBatch>> Ask(const boost::json::object& request, const std::string& doing,
                                                  const char* failing);
  /// The process is ended: it did what no worker of ours does. kUnavailable.
  Failure GiveUp(const char* what, const std::string& doing);
  /// The worker's next line; meanwhile its memory and the time are watched.
  Result<std::string> Receive(int64_t seconds, const char* doing);
  /// Kills the process, if it has not ended by itself; how it ended, or why it was ended.
  std::string End();

  PythonEngine engine_;
  std::optional<PrivateFolder> folder_;  ///< this user's
  std::filesystem::path home_;           ///< where the process runs, and its HOME: that folder, or another user's in it
  std::optional<OtherUser> user_;        ///< of whom the process is
  std::optional<std::filesystem::path> model_;  ///< which it may read
  std::shared_ptr<arrow::Schema> outputs_;
  int socket_ = -1, rows_ = -1, predictions_ = -1;
  std::unique_ptr<WorkerProcess> process_;  ///< null: it is gone
  std::optional<Cgroup> cgroup_;            ///< of that process, where one is delegated
  std::unique_ptr<Watch> watch_;            ///< of that process
  std::string received_;
};

}  // namespace slipway::model
