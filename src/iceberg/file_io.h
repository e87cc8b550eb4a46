#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace slipway::iceberg {

/// The files of tables, by their locations ("file:///…" or an absolute path). Local disks only so far; another scheme is
/// kUnsupported by name.
struct FileIo {
  /// The path on this machine that a location means.
  static Result<std::string> LocalPath(std::string_view location);

  /// The whole file. kNotFound, kIo; kCorrupt above 2 GiB.
  static Result<std::string> Read(std::string_view location);

  /// Creates a file that must not exist yet (kConflict), with its folders, synced to the disk.
  static Result<> WriteNew(std::string_view location, std::string_view bytes);

  /// Syncs a finished file and its folder to the disk, so that a commit never names what a power cut can lose.
  static Result<> Sync(std::string_view location);

  /// Deletes a file; one that is gone already is no error.
  static Result<> Delete(std::string_view location);

  /// Every file below a folder, as locations; none when the folder does not exist.
  static Result<std::vector<std::string>> List(std::string_view folder);
};

}  // namespace slipway::iceberg
