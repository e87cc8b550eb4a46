#include "iceberg/metadata.h"

#include <boost/json/serialize.hpp>

#include "base/format.h"
#include "base/ids.h"
#include "base/json.h"
#include "iceberg/limits.h"

namespace slipway::iceberg {
namespace {

constexpr size_t kMetadataDepth = 64;

Result<Snapshot> ParseSnapshot(const json::value& value) {
  ASSIGN(auto object, JsonObject::From(value, "snapshot"));
  Snapshot snapshot;
  ASSIGN(snapshot.snapshot_id, object.Int("snapshot-id"));
  ASSIGN(snapshot.parent_snapshot_id, object.OptionalInt("parent-snapshot-id"));
  ASSIGN(snapshot.sequence_number, object.Int("sequence-number", 0));
  ASSIGN(snapshot.timestamp_ms, object.Int("timestamp-ms"));
  ASSIGN(snapshot.manifest_list, object.String("manifest-list", ""));
  if (object.Find("schema-id") != nullptr) {
    ASSIGN(snapshot.schema_id, object.Int32("schema-id"));
  }
  if (const auto* summary = object.Find("summary"); summary != nullptr && summary->is_object()) {
    for (const auto& [key, item] : summary->get_object())
      if (item.is_string()) snapshot.summary[std::string(key)] = std::string(item.get_string());
  }
  return snapshot;
}

json::object ToJson(const Snapshot& snapshot, int format_version, int schema_id) {
  json::object summary;
  for (const auto& [key, value] : snapshot.summary) summary[key] = value;
  json::object object{{"snapshot-id", snapshot.snapshot_id},
                      {"timestamp-ms", snapshot.timestamp_ms},
                      {"summary", std::move(summary)},
                      {"manifest-list", snapshot.manifest_list},
                      {"schema-id", schema_id}};
  if (snapshot.parent_snapshot_id) object["parent-snapshot-id"] = *snapshot.parent_snapshot_id;
  if (format_version >= 2) object["sequence-number"] = snapshot.sequence_number;
  return object;
}

Result<> ParseSchemas(const JsonObject& object, TableMetadata& metadata) {
  const auto* schemas = object.Find("schemas");
  if (schemas == nullptr) {  // version 1 before schema evolution
    const auto* schema = object.Find("schema");
    if (schema == nullptr) return Fail(ErrorKind::kCorrupt, "table metadata has no schema");
    ASSIGN(metadata.schema, ParseSchema(*schema));
    return {};
  }
  ASSIGN(auto array, object.Array("schemas"));
  ASSIGN(auto current, object.Int("current-schema-id"));
  for (const auto& item : *array) {
    ASSIGN(auto schema_object, JsonObject::From(item, "schema"));
    ASSIGN(auto id, schema_object.Int("schema-id", 0));
    if (id != current) continue;
    ASSIGN(metadata.schema, ParseSchema(item));
    return {};
  }
  return Fail(ErrorKind::kCorrupt, "table metadata lacks its current schema {}", current);
}

Result<> ParseSpecs(const JsonObject& object, TableMetadata& metadata) {
  if (object.Find("partition-specs") == nullptr) {
    ASSIGN(auto fields, object.Array("partition-spec"));
    ASSIGN(auto spec, ParsePartitionSpec(json::object{{"spec-id", 0}, {"fields", *fields}}));
    metadata.specs.push_back(std::move(spec));
    return {};
  }
  ASSIGN(auto array, object.Array("partition-specs"));
  for (const auto& item : *array) {
    ASSIGN(auto spec, ParsePartitionSpec(item));
    metadata.specs.push_back(std::move(spec));
  }
  ASSIGN(metadata.default_spec_id, object.Int32("default-spec-id"));
  if (metadata.FindSpec(metadata.default_spec_id) == nullptr)
    return Fail(ErrorKind::kCorrupt, "table metadata lacks its default partition spec {}", metadata.default_spec_id);
  return {};
}

}  // namespace

const Snapshot* TableMetadata::FindSnapshot(int64_t snapshot_id) const {
  for (const auto& snapshot : snapshots)
    if (snapshot.snapshot_id == snapshot_id) return &snapshot;
  return nullptr;
}

const Snapshot* TableMetadata::CurrentSnapshot() const {
  return current_snapshot_id ? FindSnapshot(*current_snapshot_id) : nullptr;
}

const Snapshot* TableMetadata::FindRun(std::string_view run_id) const {
  for (const auto& snapshot : snapshots) {
    auto found = snapshot.summary.find(std::string(kRunIdProperty));
    if (found != snapshot.summary.end() && found->second == run_id) return &snapshot;
  }
  return nullptr;
}

const PartitionSpec* TableMetadata::FindSpec(int spec_id) const {
  for (const auto& spec : specs)
    if (spec.spec_id == spec_id) return &spec;
  return nullptr;
}

Result<Schema> TableMetadata::SchemaById(int schema_id) const {
  if (schema_id == schema.schema_id) return schema;
  if (const auto* schemas = raw.if_contains("schemas"); schemas != nullptr && schemas->is_array()) {
    for (const auto& item : schemas->get_array()) {
      ASSIGN(auto object, JsonObject::From(item, "schema"));
      ASSIGN(auto id, object.Int("schema-id", 0));
      if (id == schema_id) return Wrap(ParseSchema(item), fmt::format("schema {}", id));
    }
  }
  return Fail(ErrorKind::kCorrupt, "table metadata lacks the schema {}", schema_id);
}

Result<Field> TableMetadata::FieldOfAnySchema(int field_id) const {
  if (const auto* field = schema.Find(field_id)) return *field;
  if (const auto* schemas = raw.if_contains("schemas"); schemas != nullptr && schemas->is_array()) {
    for (const auto& item : schemas->get_array()) {
      ASSIGN(auto earlier, ParseSchema(item));
      if (const auto* field = earlier.Find(field_id)) return *field;
    }
  }
  return Fail(ErrorKind::kCorrupt, "no schema of the table has a column of the id {}", field_id);
}

Result<Schema> TableMetadata::SchemaOf(const Snapshot& snapshot) const {
  return snapshot.schema_id ? SchemaById(*snapshot.schema_id) : schema;
}

Result<TableMetadata> ParseMetadata(std::string_view text) {
  ASSIGN(auto value, ParseJson(text, kMetadataDepth, kJsonFreeBytes + kJsonRatio * text.size()));
  if (!value.is_object()) return Fail(ErrorKind::kInvalid, "table metadata: not a JSON object");
  return ParseMetadata(std::move(value.get_object()));
}

Result<TableMetadata> ParseMetadata(json::object&& raw) {
  TableMetadata metadata{.raw = std::move(raw)};
  auto object = JsonObject::Of(metadata.raw, "table metadata");
  ASSIGN(metadata.format_version, object.Int32("format-version"));
  if (metadata.format_version < 1 || metadata.format_version > 2)
    return Fail(ErrorKind::kUnsupported, "the table has format version {}; Slipway reads and writes versions 1 and 2",
                metadata.format_version);
  ASSIGN(metadata.location, object.String("location"));
  ASSIGN(metadata.last_sequence_number, object.Int("last-sequence-number", 0));
  TRY(ParseSchemas(object, metadata));
  TRY(ParseSpecs(object, metadata));
  ASSIGN(auto current, object.OptionalInt("current-snapshot-id"));
  if (current && *current != -1) metadata.current_snapshot_id = current;
  if (const auto* snapshots = object.Find("snapshots"); snapshots != nullptr && snapshots->is_array()) {
    for (const auto& item : snapshots->get_array()) {
      ASSIGN(auto snapshot, ParseSnapshot(item));
      metadata.snapshots.push_back(std::move(snapshot));
    }
  }
  return metadata;
}

Result<TableMetadata> NewMetadata(std::string location, const Schema& schema, const PartitionSpec& spec,
                                  int64_t now_ms) {
  int last_column = 0, last_partition = 999;
  for (const auto& field : schema.fields) last_column = std::max({last_column, field.id, field.type.element_id});
  for (const auto& field : spec.fields) last_partition = std::max(last_partition, field.field_id);
  json::object raw{
      {"format-version", 2},
      {"table-uuid", NewUuid()},
      {"location", location},
      {"last-sequence-number", 0},
      {"last-updated-ms", now_ms},
      {"last-column-id", last_column},
      {"schemas", json::array{ToJson(schema)}},
      {"current-schema-id", schema.schema_id},
      {"partition-specs", json::array{json::object{{"spec-id", spec.spec_id}, {"fields", FieldsToJson(spec)}}}},
      {"default-spec-id", spec.spec_id},
      {"last-partition-id", last_partition},
      {"sort-orders", json::array{json::object{{"order-id", 0}, {"fields", json::array{}}}}},
      {"default-sort-order-id", 0},
      {"properties", json::object{{"write.parquet.compression-codec", "zstd"}}},
      {"snapshots", json::array{}},
      {"snapshot-log", json::array{}},
      {"metadata-log", json::array{}},
      {"refs", json::object{}},
      {"statistics", json::array{}},
      {"partition-statistics", json::array{}}};
  return ParseMetadata(json::serialize(raw));
}

Result<TableMetadata> WithSnapshot(const TableMetadata& base, const std::string& base_location,
                                   const Snapshot& snapshot) {
  auto raw = base.raw;
  auto array = [&raw](std::string_view key) -> json::array& {
    auto& value = raw[key];
    if (!value.is_array()) value = json::array{};
    return value.get_array();
  };
  array("snapshots").push_back(ToJson(snapshot, base.format_version, base.schema.schema_id));
  array("snapshot-log")
      .push_back(json::object{{"timestamp-ms", snapshot.timestamp_ms}, {"snapshot-id", snapshot.snapshot_id}});
  if (!base_location.empty()) {
    auto& log = array("metadata-log");
    const auto* written = base.raw.if_contains("last-updated-ms");
    log.push_back(json::object{{"timestamp-ms", written == nullptr ? json::value(0) : *written},
                               {"metadata-file", base_location}});
    while (log.size() > 100) log.erase(log.begin());  // write.metadata.previous-versions-max
  }
  raw["current-snapshot-id"] = snapshot.snapshot_id;
  if (!raw["refs"].is_object()) raw["refs"] = json::object{};
  raw["refs"].get_object()["main"] = json::object{{"snapshot-id", snapshot.snapshot_id}, {"type", "branch"}};
  raw["last-updated-ms"] = snapshot.timestamp_ms;
  if (base.format_version >= 2) raw["last-sequence-number"] = snapshot.sequence_number;
  return ParseMetadata(json::serialize(raw));
}

int64_t NextTimestamp(const TableMetadata& base, int64_t now_ms) {
  auto next = now_ms;
  auto not_before = [&next](const json::value* value, int64_t later) {
    if (value != nullptr && value->is_int64()) next = std::max(next, value->get_int64() + later);
  };
  not_before(base.raw.if_contains("last-updated-ms"), 0);
  for (const auto& snapshot : base.snapshots) next = std::max(next, snapshot.timestamp_ms + 1);
  for (const auto* key : {"snapshot-log", "metadata-log"}) {
    const auto* log = base.raw.if_contains(key);
    if (log == nullptr || !log->is_array()) continue;
    for (const auto& entry : log->get_array())
      if (entry.is_object())
        not_before(entry.get_object().if_contains("timestamp-ms"), key == std::string_view("snapshot-log") ? 1 : 0);
  }
  return next;
}

std::string Serialize(const TableMetadata& metadata) { return json::serialize(metadata.raw); }

}  // namespace slipway::iceberg
