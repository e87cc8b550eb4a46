#include "scoring/run_parts_json.h"

#include <boost/json/serialize.hpp>

#include "base/format.h"
#include "base/json.h"
#include "iceberg/data_file_json.h"

namespace slipway::scoring {
namespace {

constexpr int64_t kVersion = 1;
constexpr size_t kMostParts = 100'000, kMostFiles = 10'000'000;

/// The document, if it is of this kind and version.
Result<JsonObject> Open(const json::value& value, const std::string& kind) {
  ASSIGN(auto object, JsonObject::From(value, kind));
  ASSIGN(auto found, object.String("kind"));
  if (found != kind) return Fail(ErrorKind::kInvalid, "{}: this is a '{}'", kind, found);
  ASSIGN(auto version, object.Int("version"));
  if (version != kVersion)
    return Fail(ErrorKind::kInvalid, "{}: version {} is not known; this Slipway reads version {}", kind, version,
                kVersion);
  return object;
}

json::array FilesToJson(const std::vector<iceberg::DataFile>& files) {
  json::array array;
  for (const auto& file : files) array.push_back(iceberg::DataFileToJson(file));
  return array;
}

Result<std::vector<iceberg::DataFile>> ParseFiles(const JsonObject& object) {
  ASSIGN(auto array, object.Array("files"));
  if (array->size() > kMostFiles)
    return Fail(ErrorKind::kInvalid, "{}: {} files are more than {}", object.where(), array->size(), kMostFiles);
  std::vector<iceberg::DataFile> files;
  for (const auto& item : *array) {
    ASSIGN(auto file, Wrap(iceberg::ParseDataFile(item), object.where()));
    files.push_back(std::move(file));
  }
  return files;
}

/// What reading a file needs; its statistics have done their work.
iceberg::DataFile ToRead(const iceberg::DataFile& file) {
  return {.file_path = file.file_path,
          .spec_id = file.spec_id,
          .partition = file.partition,
          .record_count = file.record_count,
          .file_size_in_bytes = file.file_size_in_bytes,
          .sequence_number = file.sequence_number,
          .deletes = file.deletes};
}

Result<Part> ParsePart(const json::value& value) {
  ASSIGN(auto object, JsonObject::From(value, "prepared: a part"));
  Part part;
  ASSIGN(part.rows, object.Int("rows"));
  ASSIGN(part.files, ParseFiles(object));
  return part;
}

Result<double> Seconds(const JsonObject& object, std::string_view stage) {
  const auto* value = object.Find(stage);
  if (value == nullptr) return Fail(ErrorKind::kInvalid, "{}: '{}' is missing", object.where(), stage);
  boost::system::error_code code;
  auto seconds = value->to_number<double>(code);
  if (code) return Fail(ErrorKind::kInvalid, "{}: '{}' is not a number", object.where(), stage);
  return seconds;
}

}  // namespace

std::string ToText(const Prepared& prepared) {
  json::array parts;
  for (const auto& part : prepared.parts) {
    std::vector<iceberg::DataFile> files;
    for (const auto& file : part.files) files.push_back(ToRead(file));
    parts.push_back(json::object{{"rows", part.rows}, {"files", FilesToJson(files)}});
  }
  const auto& snapshot = prepared.source_snapshot_id;
  return json::serialize(json::object{{"kind", "prepared"},
                                      {"version", kVersion},
                                      {"id", prepared.id},
                                      {"run_id", prepared.run_id},
                                      {"work", prepared.work},
                                      {"model_version", prepared.model_version},
                                      {"source_snapshot_id", snapshot ? json::value(*snapshot) : json::value(nullptr)},
                                      {"source_schema_id", prepared.source_schema_id},
                                      {"rows", prepared.rows},
                                      {"file_count", prepared.files},
                                      {"skipped_files", prepared.skipped_files},
                                      {"target", json::object{{"schema", prepared.target.id.schema},
                                                              {"table", prepared.target.id.table},
                                                              {"metadata_location", prepared.target.metadata_location},
                                                              {"metadata", prepared.target.metadata.raw}}},
                                      {"parts", std::move(parts)}});
}

Result<Prepared> ParsePrepared(std::string_view text) {
  ASSIGN(auto value, Wrap(ParseJson(text), "prepared"));
  ASSIGN(auto object, Open(value, "prepared"));
  Prepared prepared;
  ASSIGN(prepared.id, object.String("id"));
  ASSIGN(prepared.run_id, object.String("run_id"));
  ASSIGN(prepared.work, object.String("work"));
  ASSIGN(prepared.model_version, object.String("model_version"));
  ASSIGN(prepared.source_snapshot_id, object.OptionalInt("source_snapshot_id"));
  ASSIGN(prepared.source_schema_id, object.Int32("source_schema_id"));
  ASSIGN(prepared.rows, object.Int("rows"));
  ASSIGN(prepared.files, object.Int("file_count"));
  ASSIGN(prepared.skipped_files, object.Int("skipped_files"));
  ASSIGN(auto target, object.Object("target"));
  ASSIGN(prepared.target.id.schema, target.String("schema"));
  ASSIGN(prepared.target.id.table, target.String("table"));
  ASSIGN(prepared.target.metadata_location, target.String("metadata_location"));
  const auto* metadata = target.Find("metadata");
  if (metadata == nullptr) return Fail(ErrorKind::kInvalid, "prepared: the target's 'metadata' is missing");
  ASSIGN(prepared.target.metadata, Wrap(iceberg::ParseMetadata(json::serialize(*metadata)), "prepared: the target"));
  ASSIGN(auto parts, object.Array("parts"));
  if (parts->empty() || parts->size() > kMostParts)
    return Fail(ErrorKind::kInvalid, "prepared: {} parts; there are 1 to {}", parts->size(), kMostParts);
  for (const auto& item : *parts) {
    ASSIGN(auto part, ParsePart(item));
    prepared.parts.push_back(std::move(part));
  }
  return prepared;
}

std::string ToText(const PartResult& result) {
  json::array values;
  for (const auto& value : result.replaced.values) values.push_back(iceberg::LiteralToJson(value));
  return json::serialize(json::object{
      {"kind", "part"},
      {"version", kVersion},
      {"prepared", result.prepared},
      {"part", result.part},
      {"files", FilesToJson(result.files)},
      {"replaced", json::object{{"values", std::move(values)}, {"null", result.replaced.null}}},
      {"rows",
       json::object{{"read", result.rows.read}, {"scored", result.rows.scored}, {"written", result.rows.written}}},
      {"seconds", json::object{{"decode", result.seconds.decode},
                               {"filter", result.seconds.filter},
                               {"score", result.seconds.score},
                               {"write", result.seconds.write}}}});
}

Result<PartResult> ParsePartResult(std::string_view text) {
  ASSIGN(auto value, Wrap(ParseJson(text), "part"));
  ASSIGN(auto object, Open(value, "part"));
  PartResult result;
  ASSIGN(result.prepared, object.String("prepared"));
  ASSIGN(result.part, object.Int("part"));
  ASSIGN(result.files, ParseFiles(object));
  ASSIGN(auto replaced, object.Object("replaced"));
  ASSIGN(result.replaced.null, replaced.Bool("null"));
  ASSIGN(auto values, replaced.Array("values"));
  for (const auto& item : *values) {
    ASSIGN(auto literal, Wrap(iceberg::ParseLiteral(item), "part: replaced"));
    if (iceberg::IsNull(literal)) return Fail(ErrorKind::kInvalid, "part: replaced: null is told by 'null'");
    result.replaced.values.push_back(std::move(literal));
  }
  ASSIGN(auto rows, object.Object("rows"));
  ASSIGN(result.rows.read, rows.Int("read"));
  ASSIGN(result.rows.scored, rows.Int("scored"));
  ASSIGN(result.rows.written, rows.Int("written"));
  ASSIGN(auto seconds, object.Object("seconds"));
  result.seconds.rows = result.rows.written;
  ASSIGN(result.seconds.decode, Seconds(seconds, "decode"));
  ASSIGN(result.seconds.filter, Seconds(seconds, "filter"));
  ASSIGN(result.seconds.score, Seconds(seconds, "score"));
  ASSIGN(result.seconds.write, Seconds(seconds, "write"));
  return result;
}

}  // namespace slipway::scoring
