#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "iceberg/catalog.h"
#include "iceberg/commit.h"
#include "iceberg/delete_index.h"
#include "iceberg/manifest.h"

namespace slipway::iceberg {

/// What the tries of one commit share. Data files and manifests never change, so what was found out about one, or made
/// of one, for one state of the table serves the next state too.
struct SharedWork {
  /// What became of a data file some of whose rows may be replaced.
  struct Replaced {
    bool changed = false;          ///< false: no row matched after all
    std::optional<DataFile> copy;  ///< the other rows; absent: none are left
  };
  std::map<std::string, Replaced> replaced;  ///< by the data file's path, and its deletes'
  std::set<std::string> untouched;           ///< manifests without a live file that has a row to replace
  std::vector<std::string> made;             ///< the copies' locations
};

/// One try to put an update onto one state of a table: writes manifests, manifest list and metadata, all but what the
/// catalog does.
class SnapshotWriter {
 public:
  /// All but the clock's time is kept by reference.
  SnapshotWriter(const Table& base, const SnapshotUpdate& update, SharedWork& shared, int number, int64_t now_ms);

  /// kCorrupt: a manifest of a partition spec that the table lacks holds rows that may have to be replaced.
  Result<> Prepare();

  Result<> Publish(Catalog& catalog) const { return catalog.Publish({base_, next_, snapshot_, metadata_location_}); }

  /// Deletes what was written here; the update's own files and the copies stay.
  void Undo();

  const Snapshot& snapshot() const { return snapshot_; }
  /// What was written here, and the copies that the snapshot names.
  std::vector<std::string> Files() const;

 private:
  struct Changes {
    int64_t added_files = 0, added_rows = 0, added_bytes = 0;
    int64_t deleted_files = 0, deleted_rows = 0, deleted_bytes = 0;
    std::set<std::string> partitions;
  };

  ManifestEntry Added(DataFile file);
  std::string PathOf(const DataFile& file) const;
  Result<> Carry(ManifestFile manifest, std::vector<ManifestFile>& out);
  Result<bool> Replace(ManifestEntry& entry, const PartitionSpec& spec);
  Result<DeleteIndex::Files> DeletesOf(const DataFile& file);
  Result<const SharedWork::Replaced*> WithoutReplacedRows(const DataFile& file);
  ManifestContext ContextOf(int spec_id) const;
  Result<ManifestFile> WriteNew(int spec_id, const std::vector<ManifestEntry>& entries);
  Result<ManifestFile> Rewrite(const ManifestFile& manifest, const ManifestOrigin& origin,
                               const std::vector<ManifestEntry>& entries);
  Result<ManifestFile> Finish(ManifestFile manifest, const std::vector<ManifestEntry>& entries,
                              const std::string& bytes);
  Result<> WriteFile(const std::string& location, const std::string& bytes);
  int Version() const;
  void SetSummary();

  const Table& base_;
  const SnapshotUpdate& update_;
  SharedWork& shared_;
  int number_;
  int manifests_ = 0;
  Snapshot snapshot_;
  std::string metadata_location_;
  TableMetadata next_;
  std::vector<ManifestFile> existing_;  ///< of the base
  std::optional<DeleteIndex> deletes_;  ///< of the base, where a file is rewritten
  std::vector<DataFile> copies_;        ///< of files some of whose rows are replaced
  std::vector<std::string> made_;
  Changes changes_;
};

}  // namespace slipway::iceberg
