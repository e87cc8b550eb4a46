#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "iceberg/catalog.h"
#include "iceberg/manifest.h"

namespace slipway::iceberg {

// Columns of position delete files (spec, "Reserved Field IDs").
inline constexpr int kDeletedPath = 2147483546, kDeletedPosition = 2147483545;

/// The delete files of a snapshot, by the data files of which they may delete rows. One that applies to no file costs
/// nothing but its line: compaction leaves such.
class DeleteIndex {
 public:
  /// Reads the delete manifests among `manifests`.
  static Result<DeleteIndex> Load(const Table& table, const std::vector<ManifestFile>& manifests);

  /// A file of deletes; `unpartitioned`: its spec has no fields.
  void Add(DataFile file, bool unpartitioned);

  using Files = std::vector<std::shared_ptr<const DataFile>>;
  /// Spec, "Scan Planning": position deletes that are not older than the file, equality deletes that are newer; both of
  /// its own partition, and those equality deletes that have none.
  Files Of(const DataFile& file) const;

 private:
  Files of_all_;                                ///< equality deletes of no partition
  std::map<std::string, Files> of_partitions_;  ///< by the spec and its values
  std::map<std::string, Files> of_files_;       ///< position deletes of one data file, by its path
};

}  // namespace slipway::iceberg
