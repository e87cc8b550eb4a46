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
  /// Asked right before every compare-and-swap; an error ends the commit. It saves work, and makes nothing safe: what
  /// keeps two attempts of a run apart is the compare-and-swap itself.
  std::function<Result<>()> before_publish;
};

struct CommitOutcome {
  int64_t snapshot_id = 0;
  bool already_committed =
      false;  ///< another attempt of the same run had reached the table: its files are there, not ours
  int attempts = 1;
};

/// Commits `update` on `base`, or on newer states after conflicts with other writers (kConflict after ten). The run id
/// is looked for before every attempt, so that a retry, a crash or a lost answer leaves exactly one copy. A `base` that
/// is not in the catalog yet is created with the snapshot, in one step. kPerhapsCommitted, whatever else went wrong: a
/// try whose answer was lost may still become true, so that no file of the run may be deleted. After any other error
/// the files made here are deleted.
Result<CommitOutcome> Commit(Catalog& catalog, const Table& base, const SnapshotUpdate& update, const Clock& clock);

}  // namespace slipway::iceberg
