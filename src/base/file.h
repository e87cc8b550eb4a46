#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace slipway {

/// A file descriptor that closes itself.
class OpenedFile {
 public:
  explicit OpenedFile(int fd) : fd_(fd) {}
  OpenedFile(OpenedFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OpenedFile& operator=(OpenedFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~OpenedFile();
  int fd() const { return fd_; }
  /// The caller closes it.
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// Opens a regular file for reading. Anything else is kInvalid at once, by name: a pipe may keep its reader waiting for
/// ever, a device may never end. kNotFound, kDenied, kIo.
Result<OpenedFile> OpenToRead(const std::filesystem::path& path);

/// The whole of a regular file. As OpenToRead; kTooLarge over `limit` bytes, before anything is read where its size is
/// known.
Result<std::string> ReadFile(const std::filesystem::path& path, size_t limit = size_t{1} << 30);

/// Writes beside `path`, syncs, then renames: readers see the old file or the whole new one. `mode` as in chmod.
Result<> WriteFileAtomically(const std::filesystem::path& path, std::string_view bytes, int mode = 0644);

/// Creates the folder and those above it.
Result<> CreateFolders(const std::filesystem::path& path);

/// Syncs a folder, so that a rename in it outlives a power cut.
Result<> SyncFolder(const std::filesystem::path& path);

/// Syncs a finished file and then its folder.
Result<> SyncFile(const std::filesystem::path& path);

/// kInvalid for what is neither a regular file nor a folder.
Result<> CheckRegular(const std::filesystem::path& path, std::filesystem::file_status status);

/// SHA-256 over the names and bytes of every file below `folder`, in the order of their relative paths. Hexadecimal.
/// kInvalid where a pipe, a socket or a device lies in it.
Result<std::string> HashFolder(const std::filesystem::path& folder);

/// A lock on a file, which the system drops when its process ends, however it ends.
class FileLock {
 public:
  /// Takes the lock for itself alone, or kConflict at once when somebody else holds it. The file is created.
  static Result<FileLock> TryTake(const std::filesystem::path& path);
  /// Takes it together with others who share it, or kConflict at once when somebody holds it alone.
  static Result<FileLock> TryShare(const std::filesystem::path& path);

  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  static Result<FileLock> Try(const std::filesystem::path& path, int how);
  int fd_;
};

}  // namespace slipway
