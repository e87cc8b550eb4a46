#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "base/format.h"
#include "base/json.h"
#include "iceberg/avro_container.h"
#include "iceberg/manifest.h"

namespace slipway::iceberg {
namespace {

constexpr int kStatus = 0, kSnapshotId = 1, kDataFile = 2, kSequence = 3, kFileSequence = 4, kContent = 134;

int64_t IdOf(const json::value& field) {
  const auto* id = field.is_object() ? field.get_object().if_contains("field-id") : nullptr;
  return id != nullptr && id->is_int64() ? id->get_int64() : -1;
}

json::object OptionalLong(std::string_view name, int id) {
  return {{"name", name}, {"type", json::array{"null", "long"}}, {"default", nullptr}, {"field-id", id}};
}

bool HasField(const json::array& fields, int id) {
  return std::ranges::any_of(fields, [&](const auto& field) { return IdOf(field) == id; });
}

/// The schema of the rewritten manifest's entries: data_file and unknown fields as they were.
struct RewrittenSchema {
  std::string text;
  bool add_content = false;  ///< version 2 wants to know what version 1 takes for granted
};

Result<RewrittenSchema> SchemaFor(bool v2, const ManifestOrigin& origin) {
  ASSIGN(auto value, ParseJson(origin.avro_schema));
  ASSIGN(auto entry, JsonObject::From(value, "the manifest's schema"));
  ASSIGN(auto fields, entry.Array("fields"));
  RewrittenSchema schema;
  json::array written{json::object{{"name", "status"}, {"type", "int"}, {"field-id", kStatus}},
                      v2 ? OptionalLong("snapshot_id", kSnapshotId)
                         : json::object{{"name", "snapshot_id"}, {"type", "long"}, {"field-id", kSnapshotId}}};
  if (v2) {
    written.push_back(OptionalLong("sequence_number", kSequence));
    written.push_back(OptionalLong("file_sequence_number", kFileSequence));
  }
  for (const auto& field : *fields) {
    if (IdOf(field) != kDataFile) continue;
    auto data_file = field;
    auto* record = data_file.get_object().if_contains("type");
    auto* members = record != nullptr && record->is_object() ? record->get_object().if_contains("fields") : nullptr;
    if (members == nullptr || !members->is_array())
      return Fail(ErrorKind::kUnsupported, "its data_file is not a record, so that it cannot be rewritten");
    schema.add_content = v2 && !HasField(members->get_array(), kContent);
    if (schema.add_content)
      members->get_array().insert(members->get_array().begin(),
                                  json::object{{"name", "content"}, {"type", "int"}, {"field-id", kContent}});
    written.push_back(std::move(data_file));
  }
  for (const auto& field : *fields)
    if (IdOf(field) < kStatus || IdOf(field) > kFileSequence) written.push_back(field);
  schema.text = json::serialize(json::object{{"type", "record"}, {"name", "manifest_entry"}, {"fields", written}});
  if (auto valid = avro::ParseSchema(schema.text); !valid)
    return Fail(ErrorKind::kUnsupported, "its schema cannot be rewritten: {}", valid.error().message);
  return schema;
}

void WriteOptionalLong(avro::Encoder& out, std::optional<int64_t> value) {
  out.Branch(value ? 1 : 0);
  if (value) out.Long(*value);
}

}  // namespace

Result<std::string> RewriteManifest(int format_version, const ManifestOrigin& origin,
                                    const std::vector<ManifestEntry>& entries) {
  bool v2 = format_version >= 2;
  ASSIGN(auto schema, SchemaFor(v2, origin));
  auto header = origin.header;
  std::erase_if(header, [](const auto& item) { return item.first.starts_with("avro."); });
  header["format-version"] = std::to_string(format_version);
  if (v2) header["content"] = "data";
  avro::ContainerWriter writer(schema.text, std::move(header));
  for (const auto& entry : entries) {
    auto& out = writer.encoder();
    out.Long(static_cast<int>(entry.status));
    if (v2) {
      WriteOptionalLong(out, entry.snapshot_id);
      WriteOptionalLong(out, entry.sequence_number);
      WriteOptionalLong(out, entry.file_sequence_number);
      if (schema.add_content) out.Long(0);  // data
    } else {
      out.Long(entry.snapshot_id.value_or(0));
    }
    out.Fixed(entry.as_written);
    writer.Added();
  }
  return writer.Finish();
}

}  // namespace slipway::iceberg
