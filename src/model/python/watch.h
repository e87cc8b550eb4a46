#pragma once

#include <array>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "model/python/python_engine.h"
#include "model/python/worker_process.h"

namespace slipway::model {

/// Looks many times a second at what a worker takes, with all that it has started, also while it should be idle; ends
/// it when that is more than the engine's limits allow.
class Watch {
 public:
  /// `process` outlives this; `folder` is what the worker may write to, `shared` its files in memory.
  Watch(const PythonEngine& engine, WorkerProcess& process, std::filesystem::path folder, std::array<int, 2> shared);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// Why the worker was ended: "took 300 MiB, more than python.memory_mib = 256". Nothing: it was not, by this.
  std::optional<std::string> reason() const;

 private:
  void Look();
  std::optional<std::string> WhatIsOver(bool folder_too) const;

  int64_t memory_mib_, disk_mib_, tasks_;
  WorkerProcess& process_;
  std::filesystem::path folder_;
  std::array<int, 2> shared_;
  int stop_;
  mutable std::mutex mutex_;
  std::optional<std::string> reason_;
  std::thread thread_;
};

}  // namespace slipway::model
