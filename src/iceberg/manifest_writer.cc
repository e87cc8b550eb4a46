#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <cmath>

#include "base/format.h"
#include "base/json.h"
#include "iceberg/avro_container.h"
#include "iceberg/manifest.h"

namespace slipway::iceberg {
namespace {

using avro::Encoder;

json::object Named(std::string_view name, int id, json::value type) {
  return {{"name", name}, {"type", std::move(type)}, {"field-id", id}};
}

json::object Optional(std::string_view name, int id, json::value type) {
  return {{"name", name}, {"type", json::array{"null", std::move(type)}}, {"default", nullptr}, {"field-id", id}};
}

/// An Iceberg map as Avro holds it: an array of key-value records marked as a logical map.
json::object MapType(int key_id, int value_id, const char* value) {
  return {
      {"type", "array"},
      {"logicalType", "map"},
      {"items", json::object{{"type", "record"},
                             {"name", fmt::format("k{}_v{}", key_id, value_id)},
                             {"fields", json::array{Named("key", key_id, "int"), Named("value", value_id, value)}}}}};
}

/// The bytes of the unscaled value of a decimal: the fewest that hold every value of its precision.
size_t DecimalBytes(int precision) {
  constexpr double kBitsPerDigit = 3.3219280948873626;
  return static_cast<size_t>(std::ceil((precision * kBitsPerDigit + 1) / 8));
}

/// Spec, Appendix A.
json::value AvroType(const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean: return "boolean";
    case TypeId::kInt: return "int";
    case TypeId::kLong: return "long";
    case TypeId::kFloat: return "float";
    case TypeId::kDouble: return "double";
    case TypeId::kDate: return json::object{{"type", "int"}, {"logicalType", "date"}};
    case TypeId::kTime: return json::object{{"type", "long"}, {"logicalType", "time-micros"}};
    case TypeId::kTimestamp:
    case TypeId::kTimestamptz:
      return json::object{
          {"type", "long"}, {"logicalType", "timestamp-micros"}, {"adjust-to-utc", type.id == TypeId::kTimestamptz}};
    case TypeId::kUuid:
      return json::object{{"type", "fixed"}, {"size", 16}, {"logicalType", "uuid"}, {"name", "uuid_fixed"}};
    case TypeId::kFixed:
      return json::object{{"type", "fixed"}, {"size", type.length}, {"name", fmt::format("fixed_{}", type.length)}};
    case TypeId::kString: return "string";
    case TypeId::kDecimal:
      return json::object{{"type", "fixed"},
                          {"size", DecimalBytes(type.precision)},
                          {"name", fmt::format("decimal_{}_{}", type.precision, type.scale)},
                          {"logicalType", "decimal"},
                          {"precision", type.precision},
                          {"scale", type.scale}};
    default: return "bytes";
  }
}

Type PartitionType(const ManifestContext& context, const PartitionField& field) {
  const auto* source = context.schema->Find(field.source_id);
  return ResultType(field.transform, source == nullptr ? Type{TypeId::kString} : source->type);
}

/// Whether the type of a partition field's values is known: of a column that was dropped only its transform can tell.
bool HasType(const ManifestContext& context, const PartitionField& field) {
  return context.schema->Find(field.source_id) != nullptr ||
         ResultType(field.transform, {TypeId::kString}).id != TypeId::kString;
}

std::string ManifestSchema(const ManifestContext& context) {
  json::array partition;
  for (const auto& field : context.spec->fields)
    partition.push_back(Optional(field.name, field.field_id, AvroType(PartitionType(context, field))));
  bool v2 = context.format_version >= 2;
  json::array file;
  if (v2) file.push_back(Named("content", 134, "int"));
  file.push_back(Named("file_path", 100, "string"));
  file.push_back(Named("file_format", 101, "string"));
  file.push_back(Named("partition", 102, json::object{{"type", "record"}, {"name", "r102"}, {"fields", partition}}));
  file.push_back(Named("record_count", 103, "long"));
  file.push_back(Named("file_size_in_bytes", 104, "long"));
  if (!v2) file.push_back(Named("block_size_in_bytes", 105, "long"));
  file.push_back(Optional("column_sizes", 108, MapType(117, 118, "long")));
  file.push_back(Optional("value_counts", 109, MapType(119, 120, "long")));
  file.push_back(Optional("null_value_counts", 110, MapType(121, 122, "long")));
  file.push_back(Optional("nan_value_counts", 137, MapType(138, 139, "long")));
  file.push_back(Optional("lower_bounds", 125, MapType(126, 127, "bytes")));
  file.push_back(Optional("upper_bounds", 128, MapType(129, 130, "bytes")));
  file.push_back(
      Optional("split_offsets", 132, json::object{{"type", "array"}, {"items", "long"}, {"element-id", 133}}));
  file.push_back(Optional("sort_order_id", 140, "int"));
  json::array entry{Named("status", 0, "int"),
                    v2 ? Optional("snapshot_id", 1, "long") : Named("snapshot_id", 1, "long")};
  if (v2) {
    entry.push_back(Optional("sequence_number", 3, "long"));
    entry.push_back(Optional("file_sequence_number", 4, "long"));
  }
  entry.push_back(Named("data_file", 2, json::object{{"type", "record"}, {"name", "r2"}, {"fields", file}}));
  return json::serialize(json::object{{"type", "record"}, {"name", "manifest_entry"}, {"fields", entry}});
}

void WriteOptionalLong(Encoder& out, std::optional<int64_t> value) {
  out.Branch(value ? 1 : 0);
  if (value) out.Long(*value);
}

template <typename Map, typename F>
void WriteMap(Encoder& out, const Map& map, F&& value) {
  out.Branch(1);
  if (!map.empty()) {
    out.Long(static_cast<int64_t>(map.size()));
    for (const auto& [key, item] : map) {
      out.Long(key);
      value(item);
    }
  }
  out.Long(0);
}

/// Big-endian two's complement in `size` bytes, from fewer or more.
void WriteDecimal(Encoder& out, std::string_view bytes, size_t size) {
  bool negative = !bytes.empty() && (static_cast<uint8_t>(bytes.front()) & 0x80) != 0;
  if (bytes.size() > size) bytes.remove_prefix(bytes.size() - size);
  out.Fixed(std::string(size - bytes.size(), negative ? '\xff' : '\0'));
  out.Fixed(bytes);
}

void WritePartitionValue(Encoder& out, const Literal& value, const Type& type) {
  out.Branch(IsNull(value) ? 0 : 1);
  if (IsNull(value)) return;
  if (const auto* number = std::get_if<int64_t>(&value))
    out.Long(*number);
  else if (const auto* flag = std::get_if<bool>(&value))
    out.Boolean(*flag);
  else if (const auto* real = std::get_if<double>(&value))
    type.id == TypeId::kFloat ? out.Float(static_cast<float>(*real)) : out.Double(*real);
  else if (type.id == TypeId::kFixed || type.id == TypeId::kUuid)
    out.Fixed(std::get<std::string>(value));
  else if (type.id == TypeId::kDecimal)
    WriteDecimal(out, std::get<std::string>(value), DecimalBytes(type.precision));
  else
    out.Bytes(std::get<std::string>(value));
}

void WriteEntry(Encoder& out, const ManifestContext& context, const ManifestEntry& entry) {
  bool v2 = context.format_version >= 2;
  const auto& file = entry.file;
  out.Long(static_cast<int>(entry.status));
  if (v2) {
    WriteOptionalLong(out, entry.snapshot_id);
    WriteOptionalLong(out, entry.sequence_number);
    WriteOptionalLong(out, entry.file_sequence_number);
    out.Long(0);  // content: data
  } else {
    out.Long(entry.snapshot_id.value_or(0));
  }
  out.Bytes(file.file_path);
  out.Bytes("PARQUET");
  for (size_t i = 0; i < context.spec->fields.size(); ++i)
    WritePartitionValue(out, file.partition[i], PartitionType(context, context.spec->fields[i]));
  out.Long(file.record_count);
  out.Long(file.file_size_in_bytes);
  if (!v2) out.Long(64 << 20);  // block_size_in_bytes: required by version 1, read by nobody
  auto count = [&](int64_t value) { out.Long(value); };
  auto bound = [&](const std::string& value) { out.Bytes(value); };
  WriteMap(out, file.column_sizes, count);
  WriteMap(out, file.value_counts, count);
  WriteMap(out, file.null_value_counts, count);
  WriteMap(out, file.nan_value_counts, count);
  WriteMap(out, file.lower_bounds, bound);
  WriteMap(out, file.upper_bounds, bound);
  out.Branch(file.split_offsets.empty() ? 0 : 1);
  if (!file.split_offsets.empty()) {
    out.Long(static_cast<int64_t>(file.split_offsets.size()));
    for (auto offset : file.split_offsets) out.Long(offset);
    out.Long(0);
  }
  WriteOptionalLong(out, file.sort_order_id);
}

/// A field of a manifest list that some manifests carry and Slipway does not know.
struct UnknownField {
  std::string field;      ///< in the Avro schema
  int null_branch = -1;   ///< of its union, for manifests that have none
  int value_branch = -1;  ///< likewise, for those that have one
};

Result<std::map<int, UnknownField>> UnknownFields(const std::vector<ManifestFile>& manifests) {
  std::map<int, UnknownField> fields;
  for (const auto& manifest : manifests) {
    for (const auto& [id, unknown] : manifest.unknown) {
      auto& known = fields[id];
      if (!known.field.empty() && known.field != unknown.field)
        return Fail(ErrorKind::kUnsupported, "the manifest list's field {} is described in two ways", id);
      known.field = unknown.field;
    }
  }
  for (auto& [id, known] : fields) {
    ASSIGN(auto field, ParseJson(known.field));
    const auto* type = field.is_object() ? field.get_object().if_contains("type") : nullptr;
    if (type == nullptr || !type->is_array() || type->get_array().size() != 2)
      return Fail(ErrorKind::kUnsupported, "the manifest list's field {} cannot be taken over: {}", id, known.field);
    for (int branch = 0; branch < 2; ++branch)
      (type->get_array()[static_cast<size_t>(branch)] == "null" ? known.null_branch : known.value_branch) = branch;
    if (known.null_branch < 0 || known.value_branch < 0)
      return Fail(ErrorKind::kUnsupported, "the manifest list's field {} cannot be left out: {}", id, known.field);
  }
  return fields;
}

Result<std::string> ManifestListSchema(bool v2, const std::map<int, UnknownField>& unknown) {
  json::object summary{
      {"type", "record"},
      {"name", "r508"},
      {"fields", json::array{Named("contains_null", 509, "boolean"), Optional("contains_nan", 518, "boolean"),
                             Optional("lower_bound", 510, "bytes"), Optional("upper_bound", 511, "bytes")}}};
  json::array fields{Named("manifest_path", 500, "string"), Named("manifest_length", 501, "long"),
                     Named("partition_spec_id", 502, "int")};
  if (v2) {
    fields.push_back(Named("content", 517, "int"));
    fields.push_back(Named("sequence_number", 515, "long"));
    fields.push_back(Named("min_sequence_number", 516, "long"));
  }
  fields.push_back(Named("added_snapshot_id", 503, "long"));
  constexpr std::tuple<const char*, int, const char*> kCounts[] = {
      {"added_files_count", 504, "int"}, {"existing_files_count", 505, "int"}, {"deleted_files_count", 506, "int"},
      {"added_rows_count", 512, "long"}, {"existing_rows_count", 513, "long"}, {"deleted_rows_count", 514, "long"}};
  for (const auto& [name, id, type] : kCounts) fields.push_back(v2 ? Named(name, id, type) : Optional(name, id, type));
  fields.push_back(
      Optional("partitions", 507, json::object{{"type", "array"}, {"items", summary}, {"element-id", 508}}));
  for (const auto& [id, field] : unknown) {
    ASSIGN(auto described, ParseJson(field.field));
    fields.push_back(std::move(described));
  }
  return json::serialize(json::object{{"type", "record"}, {"name", "manifest_file"}, {"fields", fields}});
}

void WriteCount(Encoder& out, bool v2, int64_t count) {
  if (v2)
    out.Long(std::max<int64_t>(count, 0));
  else
    WriteOptionalLong(out, count < 0 ? std::nullopt : std::optional(count));
}

void WriteOptionalBytes(Encoder& out, const std::optional<std::string>& value) {
  out.Branch(value ? 1 : 0);
  if (value) out.Bytes(*value);
}

}  // namespace

Result<std::string> WriteManifest(const ManifestContext& context, const std::vector<ManifestEntry>& entries) {
  for (const auto& entry : entries) {
    if (entry.file.partition.size() != context.spec->fields.size())
      return Fail(ErrorKind::kInternal, "{} has another partition spec than its manifest", entry.file.file_path);
    for (size_t i = 0; i < context.spec->fields.size(); ++i)
      if (!IsNull(entry.file.partition[i]) && !HasType(context, context.spec->fields[i]))
        return Fail(ErrorKind::kUnsupported,
                    "the partition field '{}' cannot be written: its source column was dropped from the table",
                    context.spec->fields[i].name);
  }
  avro::ContainerWriter writer(ManifestSchema(context),
                               {{"schema", context.schema_json},
                                {"schema-id", std::to_string(context.schema->schema_id)},
                                {"partition-spec", json::serialize(FieldsToJson(*context.spec))},
                                {"partition-spec-id", std::to_string(context.spec->spec_id)},
                                {"format-version", std::to_string(context.format_version)},
                                {"content", "data"}});
  for (const auto& entry : entries) {
    WriteEntry(writer.encoder(), context, entry);
    writer.Added();
  }
  return writer.Finish();
}

void CountEntries(ManifestFile& m, const std::vector<ManifestEntry>& entries) {
  m.added_files_count = m.existing_files_count = m.deleted_files_count = 0;
  m.added_rows_count = m.existing_rows_count = m.deleted_rows_count = 0;
  for (const auto& entry : entries) {
    auto& files = entry.status == ManifestEntry::Status::kAdded     ? m.added_files_count
                  : entry.status == ManifestEntry::Status::kDeleted ? m.deleted_files_count
                                                                    : m.existing_files_count;
    auto& rows = entry.status == ManifestEntry::Status::kAdded     ? m.added_rows_count
                 : entry.status == ManifestEntry::Status::kDeleted ? m.deleted_rows_count
                                                                   : m.existing_rows_count;
    ++files;
    rows += entry.file.record_count;
  }
}

namespace {

std::partial_ordering Order(const Literal& a, const Literal& b, const Type& type) {
  if (type.id != TypeId::kDecimal) return Compare(a, b);
  return CompareDecimals(std::get<std::string>(a), std::get<std::string>(b));
}

std::string BoundOf(const Literal& value, const Type& type) {
  auto bytes = ToBytes(value, type);
  return type.id == TypeId::kDecimal ? ShortestDecimal(bytes) : bytes;
}

}  // namespace

ManifestFile Summarize(const ManifestContext& context, const std::vector<ManifestEntry>& entries) {
  ManifestFile m;
  m.partition_spec_id = context.spec->spec_id;
  CountEntries(m, entries);
  m.partitions.resize(context.spec->fields.size());
  std::vector<Literal> lower(m.partitions.size()), upper(m.partitions.size());
  std::vector<Type> types;
  for (const auto& field : context.spec->fields) types.push_back(PartitionType(context, field));
  for (const auto& entry : entries) {
    for (size_t i = 0; i < m.partitions.size(); ++i) {
      const auto& value = entry.file.partition[i];
      const auto* real = std::get_if<double>(&value);
      if (IsNull(value))
        m.partitions[i].contains_null = true;
      else if (real != nullptr && *real != *real)
        m.partitions[i].contains_nan = true;
      else {
        if (IsNull(lower[i]) || Order(value, lower[i], types[i]) < 0) lower[i] = value;
        if (IsNull(upper[i]) || Order(value, upper[i], types[i]) > 0) upper[i] = value;
      }
    }
  }
  for (size_t i = 0; i < m.partitions.size(); ++i) {
    if (!m.partitions[i].contains_nan) m.partitions[i].contains_nan = false;
    if (IsNull(lower[i])) continue;  // readers take a field without bounds for one that holds nothing but nulls
    m.partitions[i].lower_bound = BoundOf(lower[i], types[i]);
    m.partitions[i].upper_bound = BoundOf(upper[i], types[i]);
  }
  return m;
}

Result<std::string> WriteManifestList(const ManifestListContext& context, const std::vector<ManifestFile>& manifests) {
  ASSIGN(auto unknown, UnknownFields(manifests));
  bool v2 = context.format_version >= 2;
  std::map<std::string, std::string> metadata{{"snapshot-id", std::to_string(context.snapshot_id)},
                                              {"format-version", std::to_string(context.format_version)}};
  metadata["parent-snapshot-id"] =
      context.parent_snapshot_id ? std::to_string(*context.parent_snapshot_id) : std::string("null");
  if (v2) metadata["sequence-number"] = std::to_string(context.sequence_number);
  ASSIGN(auto schema, ManifestListSchema(v2, unknown));
  avro::ContainerWriter writer(schema, std::move(metadata));
  for (const auto& m : manifests) {
    auto& out = writer.encoder();
    out.Bytes(m.manifest_path);
    out.Long(m.manifest_length);
    out.Long(m.partition_spec_id);
    if (v2) {
      out.Long(m.content);
      out.Long(m.sequence_number);
      out.Long(m.min_sequence_number);
    }
    out.Long(m.added_snapshot_id);
    for (int64_t count : {int64_t{m.added_files_count}, int64_t{m.existing_files_count}, int64_t{m.deleted_files_count},
                          m.added_rows_count, m.existing_rows_count, m.deleted_rows_count})
      WriteCount(out, v2, count);
    out.Branch(1);
    if (!m.partitions.empty()) {
      out.Long(static_cast<int64_t>(m.partitions.size()));
      for (const auto& summary : m.partitions) {
        out.Boolean(summary.contains_null);
        out.Branch(summary.contains_nan ? 1 : 0);
        if (summary.contains_nan) out.Boolean(*summary.contains_nan);
        WriteOptionalBytes(out, summary.lower_bound);
        WriteOptionalBytes(out, summary.upper_bound);
      }
    }
    out.Long(0);
    for (const auto& [id, field] : unknown) {
      auto found = m.unknown.find(id);
      out.Branch(found == m.unknown.end() ? field.null_branch : field.value_branch);
      if (found != m.unknown.end()) out.Fixed(found->second.bytes);
    }
    writer.Added();
  }
  return writer.Finish();
}

}  // namespace slipway::iceberg
