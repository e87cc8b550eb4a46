#pragma once

#include <arrow/type_fwd.h>

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
/// kUnsupported by name. Thread-safe; S3 is opened when it is first needed.
class FileIo {
 public:
  /// `access`: what the catalog hands out; by default what the environment says.
  explicit FileIo(S3Access access = {}) : access_(std::move(access)) {}

  /// The form in which two locations of the same file are equal.
  static std::string Canonical(std::string_view location);
  static bool IsRemote(std::string_view location);

  /// The whole file. kNotFound, kIo, kUnavailable; kCorrupt above 2 GiB.
  Result<std::string> Read(std::string_view location);

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
  S3Access access_;
  std::mutex mutex_;
  std::shared_ptr<arrow::fs::FileSystem> s3_;
};

}  // namespace slipway
