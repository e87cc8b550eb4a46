#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace slipway {

/// A program to start. It gets what stands here and nothing else of this process: no environment, no open files.
struct Program {
  std::vector<std::string> arguments;    ///< the program first: its path, or a name to look for in $PATH
  std::vector<std::string> environment;  ///< NAME=value
  std::filesystem::path folder;          ///< where it runs; empty: where this process does
  std::filesystem::path output, error;   ///< files that it appends to; empty: those of this process
  int printed = -1;                      ///< an open file of this process that is its output and error instead
  std::vector<int> descriptors;          ///< open files of this process that are 3, 4, … there
};

/// How a process ended.
struct ProcessEnd {
  int status = 0;  ///< by itself, with this
  int signal = 0;  ///< above 0: by this signal

  /// As a shell counts: the status, or 128 + the signal.
  int code() const { return signal > 0 ? 128 + signal : status; }
  /// "ended with status 3", "was ended by signal 9 (Killed)".
  std::string ToString() const;
  /// From what waitpid says.
  static ProcessEnd FromWait(int wait_status);
};

/// Starts the program in a session of its own, with nothing to read on its standard input; its process id, which is
/// also that of its process group. kIo: there is no such program, or it cannot be started.
Result<int> StartProcess(const Program& program);

/// Whether a child of this process has ended, and then how; it is reaped. A process that is no child has ended with
/// status 1.
std::optional<ProcessEnd> TryReap(int pid);

/// Waits up to `seconds` for the end of a child; nothing: it is still running.
std::optional<ProcessEnd> AwaitEnd(int pid, double seconds);

/// The memory of a process that is resident; 0 for one that is gone.
int64_t ResidentMib(int pid);

/// Has the kernel end this process, and those that it starts, before others when memory is short: 0 to 1000.
void OfferToEnd(int score);

/// Ends a child and all of its process group at once, and reaps it.
ProcessEnd KillProcess(int pid);

}  // namespace slipway
