#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace slipway {

/// What a process and all those below it take, as the system counts it at this moment.
struct TreeUse {
  int64_t processes = 0;  ///< those that have ended and were not waited for too
  int64_t tasks = 0;      ///< threads of all processes, the first one of each included
  int64_t bytes = 0;      ///< memory that is no file's, swapped out or not, and its page tables
};

/// The process and its descendants, itself first.
std::vector<int> TreeOf(int process);

/// Of the process and its descendants. Memory that several of them share is counted once, roughly, where counting it
/// for each would come to more than `enough` bytes. Nothing: the process is gone.
TreeUse UseOf(int process, int64_t enough);

/// What lies below a folder, on the disk.
struct FolderUse {
  int64_t bytes = 0, entries = 0;
};

/// Links are not followed; it stops counting at `most` entries.
FolderUse UseOf(const std::filesystem::path& folder, int64_t most);

}  // namespace slipway
