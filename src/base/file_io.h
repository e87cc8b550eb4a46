#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/s3.h"

namespace arrow::io {
class OutputStream;
class RandomAccessFile;
}  // namespace arrow::io

namespace slipway {

/// Files by their locations: "file:///…" or an absolute path, "s3://bucket/key" (also s3a, s3n). Another scheme is
/// kUnsupported by name. Of a disk only regular files are opened. Thread-safe; S3 is opened when it is first needed.
class FileIo {
 public:
  /// `access`: what the catalog hands out; by default what the environment says.
  explicit FileIo(S3Access access = {}) : remote_(std::make_shared<Remote>(std::move(access))) {}

  /// Why a location may not be touched, or nothing.
  using Gate = std::function<Result<>(std::string_view location)>;
  /// The same access and connections; whatever is read, listed, written or deleted, the gate is asked first.
  std::shared_ptr<FileIo> Within(Gate gate) const;

  /// The form in which two locations of the same file are equal.
  static std::string Canonical(std::string_view location);
  static bool IsRemote(std::string_view location);

  /// The whole file. kNotFound, kIo, kUnavailable, kInvalid for what is no regular file; kTooLarge above `limit` bytes,
  /// before anything is read.
  Result<std::string> Read(std::string_view location, int64_t limit);

  /// Creates a file that must not exist yet, with its folders, synced to the disk. On a disk an existing one is
  /// kConflict; in S3 the caller's names are new ones.
  Result<> WriteNew(std::string_view location, std::string_view bytes);

  /// Replaces a file, whole: readers see the old one or the new one.
  Result<> Replace(std::string_view location, std::string_view bytes);

  /// For reading at any position; `size` where it is known (it spares a request), else -1.
  Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInput(std::string_view location, int64_t size = -1);

  /// For writing from the start, with its folders. In S3 nothing is seen of the file before it is closed.
  Result<std::shared_ptr<arrow::io::OutputStream>> OpenOutput(std::string_view location);

  /// Syncs a finished file and its folder to the disk, so that a commit never names what a power cut can lose.
  Result<> Sync(std::string_view location);

  /// Deletes a file; one that is gone already is no error.
  Result<> Delete(std::string_view location);

  /// Every file below a folder, as locations; none when the folder does not exist.
  Result<std::vector<std::string>> List(std::string_view folder);

 private:
  /// A location's file system and its path there.
  struct Place {
    std::shared_ptr<arrow::fs::FileSystem> system;  ///< null: a local disk
    std::string path;
  };
  Result<Place> Find(std::string_view location);
  struct Remote {
    explicit Remote(S3Access given) : access(std::move(given)) {}
    S3Access access;
    std::mutex mutex;
    std::shared_ptr<arrow::fs::FileSystem> s3;
  };
  std::shared_ptr<Remote> remote_;
  Gate gate_;
};

}  // namespace slipway
