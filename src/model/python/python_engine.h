#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace slipway::model {

class Zygotes;
std::shared_ptr<Zygotes> MakeZygotes();
class Printed;
std::shared_ptr<Printed> MakePrinted();

/// How models that no native engine scores are run: each in Python processes of its own.
struct PythonEngine {
  std::string
      interpreter;    ///< a program that has mlflow and what models need; empty: such models can be planned, not scored
  std::string cache;  ///< a folder for what is known of models: exported trees, and which engine was shown to be exact
  bool environment_of_model = false;  ///< made from the model's requirements, and used in place of `interpreter`'s
  bool check_first = false;  ///< compare native engines with mlflow.pyfunc before a model's first run here, not only
                             ///< where it is registered
  bool network = false;      ///< whether a model may open sockets
  std::vector<std::string> readable, writable;  ///< what a model may read, or change, beside what the box gives it
  std::string user;                             ///< of whom its processes are; empty: of this process's user
  std::string cgroup;         ///< one of version 2, delegated to this user, that its processes are put below; or empty
  int64_t memory_mib = 4096;  ///< of one process and all that it starts
  int64_t disk_mib = 4096;    ///< of the folder that such a process may write to
  int64_t tasks = 512;        ///< processes and threads of such a process
  int64_t output_mib = 10;    ///< of what all print together
  int64_t batch_seconds = 600;                       ///< for one batch
  int64_t load_seconds = 300;                        ///< for loading the model
  int64_t environment_seconds = 1800;                ///< for making a model's environment
  int64_t processes = 0;                             ///< at most; 0: one for each core
  std::shared_ptr<Zygotes> zygotes = MakeZygotes();  ///< shared by copies; null: each process is started by itself
  std::shared_ptr<Printed> printed = MakePrinted();  ///< shared by copies
};

}  // namespace slipway::model
