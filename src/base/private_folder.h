#pragma once

#include <filesystem>
#include <utility>

#include "base/error.h"

namespace slipway {

/// A new empty folder that only this user may enter, in the temporary folder ($TMPDIR, else /tmp). It goes with this
/// object. Where the process is killed first, the next one of this user that makes such a folder removes it: an owner
/// holds a lock, which the system drops however a process ends.
class PrivateFolder {
 public:
  /// Removes what killed processes left, and makes a folder. kIo.
  static Result<PrivateFolder> Make();

  PrivateFolder(PrivateFolder&& other) noexcept
      : path_(std::exchange(other.path_, {})), lock_(std::exchange(other.lock_, -1)) {}
  PrivateFolder& operator=(PrivateFolder&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(lock_, other.lock_);
    return *this;
  }
  ~PrivateFolder();

  const std::filesystem::path& path() const { return path_; }

 private:
  PrivateFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace slipway
