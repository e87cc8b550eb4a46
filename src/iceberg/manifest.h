#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "iceberg/data_file.h"
#include "iceberg/limits.h"

namespace slipway::iceberg {

struct ManifestEntry {
  enum class Status { kExisting = 0, kAdded = 1, kDeleted = 2 };
  Status status = Status::kExisting;
  std::optional<int64_t> snapshot_id, sequence_number, file_sequence_number;  ///< absent: inherited from the manifest
  DataFile file;
  std::string as_written;  ///< `file` and all that Slipway does not know, in Avro; where asked for by a ManifestOrigin
};

/// A manifest as its writer made it. What its entries hold beyond what Slipway knows (an encryption key, fields of
/// later versions, Avro types of partition values) goes through RewriteManifest unchanged.
struct ManifestOrigin {
  std::string avro_schema;
  std::map<std::string, std::string> header;
};

struct FieldSummary {
  bool contains_null = false;
  std::optional<bool> contains_nan;
  std::optional<std::string> lower_bound, upper_bound;
};

/// One line of a manifest list (spec, "Manifest Lists").
struct ManifestFile {
  std::string manifest_path;
  int64_t manifest_length = 0;
  int partition_spec_id = 0;
  int content = 0;  ///< 0 data, 1 deletes
  int64_t sequence_number = 0, min_sequence_number = 0;
  int64_t added_snapshot_id = 0;
  int added_files_count = -1, existing_files_count = -1, deleted_files_count = -1;  ///< -1: not told (version 1)
  int64_t added_rows_count = -1, existing_rows_count = -1, deleted_rows_count = -1;
  std::vector<FieldSummary> partitions;
  /// What Slipway does not know (an encryption key), where it is not null: by field id, its Avro field and its bytes.
  struct Unknown {
    std::string field, bytes;
  };
  std::map<int, Unknown> unknown;
};

/// Reads the bytes of a manifest list of version 1 or 2. kTooLarge: more than `most` manifests, claimed or there;
/// kCorrupt: damaged, or one is named twice.
Result<std::vector<ManifestFile>> ReadManifestList(std::string bytes, int64_t most = TableLimits().manifests);

/// Reads the bytes of a manifest; what its entries leave out is inherited from `manifest` (spec, "Sequence Number
/// Inheritance"). Partition values are in the order of `spec`. With an `origin` the entries can be given to
/// RewriteManifest. kCorrupt: an entry of deletes in a manifest of data, or the other way round; kUnsupported: a live
/// data file in another format than Parquet; kTooLarge: more than `most` entries, claimed or there.
Result<std::vector<ManifestEntry>> ReadManifest(std::string bytes, const ManifestFile& manifest,
                                                const PartitionSpec& spec, ManifestOrigin* origin = nullptr,
                                                int64_t most = TableLimits().data_files);

/// What a manifest needs to know of its table to be written.
struct ManifestContext {
  int format_version = 2;
  const Schema* schema = nullptr;
  std::string schema_json;
  const PartitionSpec* spec = nullptr;
};

/// The bytes of a manifest of `entries`, all of one spec.
Result<std::string> WriteManifest(const ManifestContext& context, const std::vector<ManifestEntry>& entries);

/// The bytes of a manifest of some of the entries of another one, with new states. kUnsupported: its schema cannot be
/// taken over.
Result<std::string> RewriteManifest(int format_version, const ManifestOrigin& origin,
                                    const std::vector<ManifestEntry>& entries);

/// Sets the counts of files and rows in the manifest list.
void CountEntries(ManifestFile& manifest, const std::vector<ManifestEntry>& entries);

/// Summaries and counts of a manifest of `entries` for the manifest list; path, length and ids are the caller's.
ManifestFile Summarize(const ManifestContext& context, const std::vector<ManifestEntry>& entries);

struct ManifestListContext {
  int format_version = 2;
  int64_t snapshot_id = 0;
  std::optional<int64_t> parent_snapshot_id;
  int64_t sequence_number = 0;
};
/// kUnsupported: an unknown field of some manifests that others cannot leave out.
Result<std::string> WriteManifestList(const ManifestListContext& context, const std::vector<ManifestFile>& manifests);

}  // namespace slipway::iceberg
