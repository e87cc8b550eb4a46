#pragma once

#include <cstdint>
#include <mutex>
#include <thread>

#include "base/error.h"

namespace slipway::model {

/// What models print: their standard output and error are a pipe, and what comes out of it goes to this process's
/// standard error, up to a limit. Behind it stands a line that says so, and the rest is dropped. Thread-safe.
class Printed {
 public:
  Printed() = default;
  ~Printed();
  Printed(const Printed&) = delete;
  Printed& operator=(const Printed&) = delete;

  /// The end of the pipe that a model writes to; made when it is first asked for, with that limit. kIo.
  Result<int> File(int64_t most_mib);

 private:
  void Copy(int64_t most_mib) const;

  std::mutex mutex_;
  int read_ = -1, write_ = -1, stop_ = -1;
  std::thread thread_;
};

}  // namespace slipway::model
