#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "iceberg/partition.h"
#include "iceberg/schema.h"

namespace slipway::iceberg {

struct Snapshot {
  int64_t snapshot_id = 0;
  std::optional<int64_t> parent_snapshot_id;
  int64_t sequence_number = 0;
  int64_t timestamp_ms = 0;
  std::string manifest_list;
  std::optional<int> schema_id;                ///< by which it was written; old writers do not tell
  std::map<std::string, std::string> summary;  ///< with "operation"
};

/// Table metadata (spec, "Table Metadata"), versions 1 and 2. `raw` is the file as it was read: what Slipway does not
/// know goes through a commit unchanged.
struct TableMetadata {
  boost::json::object raw;
  int format_version = 2;
  std::string location;
  int64_t last_sequence_number = 0;
  Schema schema;  ///< the current one
  std::vector<PartitionSpec> specs;
  int default_spec_id = 0;
  std::optional<int64_t> current_snapshot_id;
  std::vector<Snapshot> snapshots;

  const Snapshot* FindSnapshot(int64_t snapshot_id) const;
  const Snapshot* CurrentSnapshot() const;
  /// The snapshot whose summary carries this run id, or null: what makes a commit happen once.
  const Snapshot* FindRun(std::string_view run_id) const;
  const PartitionSpec* FindSpec(int spec_id) const;
  /// kCorrupt: the table does not have it; the errors of ParseSchema.
  Result<Schema> SchemaById(int schema_id) const;
  /// A column of the current schema, or of an earlier one: it may have been dropped. kCorrupt: no schema has it.
  Result<Field> FieldOfAnySchema(int field_id) const;
  /// The schema that a snapshot was written by, and is read by (Java: SnapshotUtil.schemaFor); the current one where
  /// the snapshot does not tell.
  Result<Schema> SchemaOf(const Snapshot& snapshot) const;
  const PartitionSpec& DefaultSpec() const { return *FindSpec(default_spec_id); }
};

/// The key of a snapshot summary that names the run which made it.
inline constexpr std::string_view kRunIdProperty = "slipway.run-id";

/// kUnsupported: version 3 and up, by number. kCorrupt: a file that is no metadata. kTooLarge: a document that takes
/// many times its own size.
Result<TableMetadata> ParseMetadata(std::string_view text);
/// The same of a document that was parsed.
Result<TableMetadata> ParseMetadata(boost::json::object&& raw);

/// Metadata of a new table without snapshots, format version 2.
Result<TableMetadata> NewMetadata(std::string location, const Schema& schema, const PartitionSpec& spec,
                                  int64_t now_ms);

/// `base` with `snapshot` as its current one, as a commit writes it. `base_location` goes into the metadata log; empty
/// for a new table. The main branch moves.
Result<TableMetadata> WithSnapshot(const TableMetadata& base, const std::string& base_location,
                                   const Snapshot& snapshot);

/// When a snapshot that is made at `now_ms` on `base` says it was made: now, or later where the table was last written
/// by a clock ahead of ours. Time in a table never goes back: Iceberg's Java library refuses to open a table whose
/// snapshot log does.
int64_t NextTimestamp(const TableMetadata& base, int64_t now_ms);

std::string Serialize(const TableMetadata& metadata);

}  // namespace slipway::iceberg
