#include "iceberg/file_io.h"

#include <filesystem>

#include "base/file.h"
#include "base/format.h"

namespace slipway::iceberg {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLargestFile = size_t{2} << 30;

}  // namespace

Result<std::string> FileIo::LocalPath(std::string_view location) {
  if (location.starts_with('/')) return std::string(location);
  if (!location.starts_with("file:")) return Fail(ErrorKind::kUnsupported, "the location '{}' is not on a local disk", location);
  location.remove_prefix(5);
  if (location.starts_with("//")) location.remove_prefix(location.substr(2).find('/') == 0 ? 2 : 0);
  if (!location.starts_with('/')) return Fail(ErrorKind::kInvalid, "the location 'file:{}' is not absolute", location);
  // Writers put partition values into paths already quoted (%2F); PyIceberg takes the path of a URI as it stands.
  return std::string(location);
}

Result<std::string> FileIo::Read(std::string_view location) {
  ASSIGN(auto path, LocalPath(location));
  return ReadFile(path, kLargestFile);
}

Result<> FileIo::WriteNew(std::string_view location, std::string_view bytes) {
  ASSIGN(auto path, LocalPath(location));
  if (fs::exists(path)) return Fail(ErrorKind::kConflict, "{} exists already", path);
  TRY(CreateFolders(fs::path(path).parent_path()));
  return WriteFileAtomically(path, bytes);
}

Result<> FileIo::Sync(std::string_view location) {
  ASSIGN(auto path, LocalPath(location));
  return SyncFile(path);
}

Result<> FileIo::Delete(std::string_view location) {
  ASSIGN(auto path, LocalPath(location));
  std::error_code code;
  fs::remove(path, code);
  if (code) return Fail(ErrorKind::kIo, "delete {}: {}", path, code.message());
  return {};
}

Result<std::vector<std::string>> FileIo::List(std::string_view folder) {
  ASSIGN(auto path, LocalPath(folder));
  std::vector<std::string> files;
  if (!fs::exists(path)) return files;
  std::error_code code;
  for (fs::recursive_directory_iterator it(path, code), end; !code && it != end; it.increment(code))
    if (it->is_regular_file()) files.push_back("file://" + it->path().string());
  if (code) return Fail(ErrorKind::kIo, "read folder {}: {}", path, code.message());
  return files;
}

}  // namespace slipway::iceberg
