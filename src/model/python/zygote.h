#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/private_folder.h"
#include "model/python/worker_process.h"

namespace slipway::model {

/// Which zygote a worker comes from, and what its model needs.
struct ZygoteRequest {
  std::string interpreter;
  bool network = false;                ///< whether the worker may open sockets
  std::vector<std::string> libraries;  ///< names of LIBRARIES in zygote.py, to be imported before the fork
  double seconds = 0;                  ///< how long the first one's imports may take
};

/// Python processes that have imported what workers need, and fork them (zygote.py, docs/decisions/0011-zygote.md): one
/// for each interpreter. They live in a folder whose owner holds a lock on it, and end when it is gone: that of
/// $SLIPWAY_ZYGOTES, where a process above this one shares its zygotes, else one of this object's. Thread-safe.
class Zygotes {
 public:
  /// A new worker. Any error means only that there is no zygote to be had: the worker can be started without one.
  Result<std::unique_ptr<WorkerProcess>> Fork(const ZygoteRequest& request, const WorkerFiles& files);

 private:
  Result<std::filesystem::path> OwnFolder();

  std::mutex mutex_;
  std::optional<PrivateFolder> own_;  ///< made when it is needed
};

}  // namespace slipway::model
