#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "iceberg/catalog.h"
#include "iceberg/manifest.h"
#include "iceberg/predicate.h"

namespace slipway::iceberg {

/// What one run changes in a table, in one snapshot.
struct SnapshotUpdate {
  std::string run_id;
  /// The files to add to the given state of the table; asked again after a conflict. They stay the caller's to delete.
  std::function<Result<std::vector<DataFile>>(const Table& base)> added_files;
  /// The rows to replace, whatever files and partition specs hold them: a file all of whose rows match is dropped, one
  /// with some is rewritten without them. Absent: nothing is replaced (append).
  std::optional<Predicate> replaced_rows;
  std::map<std::string, std::string> summary;  ///< further properties of the snapshot
};

struct CommitOutcome {
  int64_t snapshot_id = 0;
  bool already_committed = false;  ///< an earlier attempt of the same run had reached the table
  int attempts = 1;
};

/// Commits `update` on `base`, or on newer states after conflicts with other writers (kConflict after ten). The run id
/// is looked for before every attempt, so that a retry, a crash or a lost answer leaves exactly one copy. A `base` that
/// is not in the catalog yet is created with the snapshot, in one step. Files made here are deleted on failure, but not
/// when the answer was lost and the table cannot be read (kPerhapsCommitted).
Result<CommitOutcome> Commit(Catalog& catalog, const Table& base, const SnapshotUpdate& update, const Clock& clock);

/// The location for a file of a run: `<table>/data/<partition>/<run id>-<random>.parquet`. Names carry the run id, so
/// that what a killed run leaves behind can be found.
std::string NewDataFileLocation(const Table& table, const std::string& partition_path, const std::string& run_id);

/// Deletes every file of a run below the table's location that neither a snapshot nor the metadata log names; the
/// number of files deleted. For a run whose process is gone: nothing may be writing for it. `table` is null when there
/// is none.
Result<int> DeleteOrphans(FileIo& io, const std::string& table_location, const Table* table, const std::string& run_id);

}  // namespace slipway::iceberg
