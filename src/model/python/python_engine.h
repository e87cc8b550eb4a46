#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace slipway::model {

class Zygotes;
std::shared_ptr<Zygotes> MakeZygotes();

/// How models that no native engine scores are run: each in Python processes of its own.
struct PythonEngine {
  std::string
      interpreter;    ///< a program that has mlflow and what models need; empty: such models can be planned, not scored
  std::string cache;  ///< a folder for what is known of models: exported trees, and which engine was shown to be exact
  bool environment_of_model = false;  ///< made from the model's requirements, and used in place of `interpreter`'s
  bool check_first = false;     ///< compare native engines with mlflow.pyfunc before a model's first run here, not only
                                ///< where it is registered
  bool network = false;         ///< whether a model may open sockets
  int64_t memory_mib = 4096;    ///< of one process, resident
  int64_t batch_seconds = 600;  ///< for one batch
  int64_t load_seconds = 300;   ///< for loading the model
  int64_t environment_seconds = 1800;                ///< for making a model's environment
  int64_t processes = 0;                             ///< at most; 0: one for each core
  std::shared_ptr<Zygotes> zygotes = MakeZygotes();  ///< shared by copies; null: each process is started by itself
};

}  // namespace slipway::model
