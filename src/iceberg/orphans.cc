#include "iceberg/orphans.h"

#include <set>

#include "base/file_io.h"
#include "iceberg/scan.h"

namespace slipway::iceberg {
namespace {

/// The paths of a run's files that the table still needs.
class NamedFiles {
 public:
  NamedFiles(const Table& table, const std::string& run_id) : table_(table), run_id_(run_id) {}

  Result<std::set<std::string>> Find() {
    Keep(table_.metadata_location);
    const auto* log = table_.metadata.raw.if_contains("metadata-log");
    if (log != nullptr && log->is_array()) {
      for (const auto& item : log->get_array()) {
        const auto* file = item.is_object() ? item.get_object().if_contains("metadata-file") : nullptr;
        if (file != nullptr && file->is_string()) Keep(std::string(file->get_string()));
      }
    }
    // Snapshots from before the run's own cannot name its files.
    const auto* own = table_.metadata.FindRun(run_id_);
    const auto first = own == nullptr ? 0 : own->sequence_number;
    for (const auto& snapshot : table_.metadata.snapshots)
      if (snapshot.sequence_number >= first && !snapshot.manifest_list.empty()) TRY(KeepFilesOf(snapshot));
    return std::move(named_);
  }

 private:
  void Keep(const std::string& location) { named_.insert(FileIo::Canonical(location)); }

  Result<> KeepFilesOf(const Snapshot& snapshot) {
    Keep(snapshot.manifest_list);
    ASSIGN(auto manifests, LoadManifests(table_, snapshot));
    for (const auto& manifest : manifests) {
      if (!manifests_seen_.insert(manifest.manifest_path).second) continue;
      Keep(manifest.manifest_path);
      if (manifest.content != 0) continue;  // delete files: Slipway writes none
      ASSIGN(auto entries, LoadEntries(table_, manifest));
      for (const auto& entry : entries)
        if (entry.file.file_path.find(run_id_) != std::string::npos) Keep(entry.file.file_path);
    }
    return {};
  }

  const Table& table_;
  const std::string& run_id_;
  std::set<std::string> named_, manifests_seen_;
};

bool IsOfRun(const std::string& path, const std::string& run_id) {
  auto name = path.substr(path.rfind('/') + 1);
  bool metadata = name.find(".metadata.json") != std::string::npos;  // their names hold the first 23 characters
  return name.find(metadata ? run_id.substr(0, 23) : run_id) != std::string::npos;
}

}  // namespace

Result<int> DeleteOrphans(FileIo& io, const std::string& table_location, const Table* table,
                          const std::string& run_id) {
  ASSIGN(auto files, io.List(table_location));
  std::erase_if(files, [&](const std::string& file) { return !IsOfRun(FileIo::Canonical(file), run_id); });
  if (files.empty()) return 0;
  std::set<std::string> named;
  if (table != nullptr) {
    ASSIGN(named, NamedFiles(*table, run_id).Find());
  }
  int deleted = 0;
  for (const auto& file : files) {
    if (named.contains(FileIo::Canonical(file))) continue;
    TRY(io.Delete(file));
    ++deleted;
  }
  return deleted;
}

}  // namespace slipway::iceberg
