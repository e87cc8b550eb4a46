#pragma once

#include <optional>
#include <vector>

#include "iceberg/catalog.h"
#include "iceberg/manifest.h"
#include "iceberg/predicate.h"

namespace slipway::iceberg {

/// The files of one snapshot that may hold rows of interest, in the order of their manifests, each with its deletes.
struct ScanPlan {
  std::optional<int64_t> snapshot_id;  ///< absent: the table has no snapshot, so no rows
  std::vector<DataFile> files;
  int64_t rows = 0;           ///< in `files`, deleted ones too
  int64_t skipped_files = 0;  ///< pruned by partition or statistics
};

/// Plans a scan of the given or the current snapshot. kNotFound: no such snapshot. kCorrupt: a damaged manifest, named.
Result<ScanPlan> PlanScan(const Table& table, std::optional<int64_t> snapshot_id, const Predicate& predicate);

/// What partition values and column statistics tell of a file's rows, and a manifest's summaries of all its files'.
RangeOf RangesOf(const DataFile& file, const PartitionSpec& spec, const Schema& schema);
RangeOf RangesOf(const ManifestFile& manifest, const PartitionSpec& spec, const Schema& schema);

/// The manifest list of a snapshot, errors wrapped with its name.
Result<std::vector<ManifestFile>> LoadManifests(const Table& table, const Snapshot& snapshot);

/// The entries of one manifest, errors wrapped with its name. `origin`: as of ReadManifest; `known`: entries of other
/// manifests that are held beside them.
Result<std::vector<ManifestEntry>> LoadEntries(const Table& table, const ManifestFile& manifest,
                                               ManifestOrigin* origin = nullptr, int64_t known = 0);

}  // namespace slipway::iceberg
