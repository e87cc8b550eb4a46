#include "registry/model_cache.h"

#include <algorithm>
#include <vector>

#include "base/ids.h"
#include "base/log.h"

namespace slipway::registry {
namespace {

namespace fs = std::filesystem;

struct Entry {
  fs::path folder;
  fs::file_time_type used;
  int64_t bytes = 0;
};

int64_t BytesBelow(const fs::path& folder) {
  int64_t bytes = 0;
  std::error_code code;
  for (fs::recursive_directory_iterator it(folder, code), end; !code && it != end; it.increment(code))
    if (it->is_regular_file(code)) bytes += static_cast<int64_t>(it->file_size(code));
  return bytes;
}

/// Deletes an entry that nobody holds: first its name, so that no reader finds half of it.
bool Drop(const fs::path& folder) {
  auto lock = FileLock::TryTake(folder / "lock");
  if (!lock) return false;
  std::error_code code;
  auto gone = folder.parent_path() / (".old-" + RandomHex(6));
  fs::rename(folder, gone, code);
  if (!code) fs::remove_all(gone, code);
  return !code;
}

}  // namespace

Result<bool> ModelCache::Find(ModelVersion& version) const {
  auto folder = root_ / version.key;
  if (!fs::exists(folder / "digest")) return false;
  auto hold = FileLock::TryShare(folder / "lock");
  if (!hold || !fs::exists(folder / "digest")) return false;  // it is being deleted
  ASSIGN(auto digest, ReadFile(folder / "digest", 128));
  auto found = HashFolder(folder / "model");
  if (!found || *found != digest) {
    Log(LogLevel::kWarning, "cached_model_damaged", {{"model", version.name}, {"version", version.version}});
    hold = Fail(ErrorKind::kCorrupt, "");  // lets go
    Drop(folder);
    return false;
  }
  std::error_code code;
  fs::last_write_time(folder / "digest", fs::file_time_type::clock::now(), code);
  version.folder = folder / "model";
  version.digest = digest;
  version.hold = std::make_shared<FileLock>(std::move(*hold));
  return true;
}

Result<> ModelCache::Fetch(ModelVersion& version, const std::function<Result<>(const fs::path&)>& download) const {
  ASSIGN(auto found, Find(version));
  if (found) return {};
  TRY(CreateFolders(root_));
  auto staging = root_ / (".new-" + RandomHex(6));
  std::error_code code;
  auto filled = [&]() -> Result<> {
    TRY(CreateFolders(staging / "model"));
    ASSIGN(auto lock, FileLock::TryTake(staging / "lock"));  // tells others that somebody is at work here
    TRY(download(staging / "model"));
    ASSIGN(auto digest, HashFolder(staging / "model"));
    TRY(WriteFileAtomically(staging / "digest", digest));
    fs::rename(staging, root_ / version.key, code);  // fails where another process was quicker: then that one is taken
    return {};
  }();
  fs::remove_all(staging, code);
  TRY(filled);
  ASSIGN(found, Find(version));
  if (!found) return Fail(ErrorKind::kIo, "the cached model " + (root_ / version.key).string() + " cannot be read");
  Tidy(version.key);
  return {};
}

void ModelCache::Tidy(const std::string& kept) const {
  std::vector<Entry> entries;
  int64_t total = 0;
  std::error_code code;
  for (const auto& item : fs::directory_iterator(root_, code)) {
    auto name = item.path().filename().string();
    if (name.starts_with('.')) {
      Drop(item.path());  // what a killed download left; one at work holds its lock
      continue;
    }
    Entry entry{item.path(), fs::last_write_time(item.path() / "digest", code), BytesBelow(item.path())};
    total += entry.bytes;
    if (name != kept) entries.push_back(std::move(entry));
  }
  std::ranges::sort(entries, {}, &Entry::used);
  for (const auto& entry : entries) {
    if (total <= most_bytes_) return;
    if (Drop(entry.folder)) total -= entry.bytes;
  }
}

}  // namespace slipway::registry
