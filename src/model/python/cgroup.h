#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"

namespace slipway::model {

/// A cgroup (version 2) of one worker and all that it starts, below one that was delegated to this user: the kernel
/// itself holds it to its limits, and ends all of it at once.
class Cgroup {
 public:
  /// Below `parent`, with the processes `process` and its children in it. kInvalid: it is no cgroup of version 2, or
  /// not this user's to change.
  static Result<Cgroup> Make(const std::filesystem::path& parent, int64_t memory_bytes, int64_t tasks, int process);
  Cgroup(Cgroup&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Cgroup& operator=(Cgroup&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  /// Ends what is in it.
  ~Cgroup();

  /// Whether the kernel has ended a process of it, since it was out of memory.
  bool WasOutOfMemory() const;

 private:
  explicit Cgroup(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

/// Which of the controllers memory and pids a cgroup can give to those below it: "memory pids"; empty: it is none of
/// version 2, or not this user's to change.
std::string ControllersOf(const std::filesystem::path& cgroup);

}  // namespace slipway::model
