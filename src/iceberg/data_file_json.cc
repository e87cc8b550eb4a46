#include "iceberg/data_file_json.h"

#include <bit>
#include <charconv>
#include <memory>
#include <utility>

#include "base/encoding.h"
#include "base/format.h"
#include "base/json.h"

namespace slipway::iceberg {
namespace {

constexpr std::string_view kWhere = "data file";

template <typename T>
bool ReadNumber(std::string_view text, T& number, int base = 10) {
  auto read = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return read.ec == std::errc() && read.ptr == text.data() + text.size();
}

Result<std::string> ParseBytes(const json::value& value) {
  if (!value.is_string()) return Fail(ErrorKind::kInvalid, "{}: a value's bytes are not a string", kWhere);
  std::string_view text = value.get_string();
  auto bytes = FromBase64(text);
  if (!bytes) return Fail(ErrorKind::kInvalid, "{}: a value's bytes are not base64", kWhere);
  return std::move(*bytes);
}

json::object CountsToJson(const std::map<int, int64_t>& counts) {
  json::object object;
  for (const auto& [id, count] : counts) object[std::to_string(id)] = count;
  return object;
}

json::object BoundsToJson(const std::map<int, std::string>& bounds) {
  json::object object;
  for (const auto& [id, bytes] : bounds) object[std::to_string(id)] = Base64(bytes);
  return object;
}

/// Calls `take(field id, value)` for each member of an object whose keys are field ids.
template <typename F>
Result<> ForEachField(const JsonObject& file, std::string_view key, F&& take) {
  if (file.Find(key) == nullptr) return {};
  ASSIGN(auto object, file.Object(key));
  for (const auto& [name, value] : object.object()) {
    int id = 0;
    if (!ReadNumber(std::string_view(name), id))
      return Fail(ErrorKind::kInvalid, "{}: '{}' in '{}' is not a field id", kWhere, std::string_view(name), key);
    TRY(take(id, value));
  }
  return {};
}

Result<> ParseCounts(const JsonObject& file, std::string_view key, std::map<int, int64_t>& counts) {
  return ForEachField(file, key, [&](int id, const json::value& value) -> Result<> {
    if (!value.is_int64()) return Fail(ErrorKind::kInvalid, "{}: a count in '{}' is not an integer", kWhere, key);
    counts[id] = value.get_int64();
    return {};
  });
}

Result<> ParseBounds(const JsonObject& file, std::string_view key, std::map<int, std::string>& bounds) {
  return ForEachField(file, key, [&](int id, const json::value& value) -> Result<> {
    ASSIGN(bounds[id], ParseBytes(value));
    return {};
  });
}

Result<> ParseDeletes(const JsonObject& object, DataFile& file) {
  ASSIGN(file.sequence_number, object.Int("sequence_number", 0));
  ASSIGN(auto content, object.Int("content", 0));
  if (content < 0 || content > static_cast<int>(DataFile::Content::kEqualityDeletes))
    return Fail(ErrorKind::kInvalid, "{}: there is no content {}", kWhere, content);
  file.content = static_cast<DataFile::Content>(content);
  ASSIGN(file.format, object.String("format", "PARQUET"));
  if (object.Find("equality_ids") != nullptr) {
    ASSIGN(auto ids, object.Array("equality_ids"));
    for (const auto& id : *ids) {
      if (!id.is_int64() || !std::in_range<int>(id.get_int64()))
        return Fail(ErrorKind::kInvalid, "{}: a column of equality deletes is not a field id", kWhere);
      file.equality_ids.push_back(static_cast<int>(id.get_int64()));
    }
  }
  if (object.Find("deletes") == nullptr) return {};
  ASSIGN(auto deletes, object.Array("deletes"));
  for (const auto& item : *deletes) {
    ASSIGN(auto of_file, ParseDataFile(item));
    if (of_file.content == DataFile::Content::kData || !of_file.deletes.empty())
      return Fail(ErrorKind::kInvalid, "{}: {} is not a file of deletes", kWhere, of_file.file_path);
    file.deletes.push_back(std::make_shared<const DataFile>(std::move(of_file)));
  }
  return {};
}

}  // namespace

json::value LiteralToJson(const Literal& literal) {
  if (IsNull(literal)) return nullptr;
  if (const auto* flag = std::get_if<bool>(&literal)) return *flag;
  if (const auto* number = std::get_if<int64_t>(&literal)) return *number;
  if (const auto* real = std::get_if<double>(&literal))
    return json::object{{"double", fmt::format("{:016x}", std::bit_cast<uint64_t>(*real))}};
  return json::object{{"bytes", Base64(std::get<std::string>(literal))}};
}

Result<Literal> ParseLiteral(const json::value& value) {
  if (value.is_null()) return Literal{};
  if (value.is_bool()) return Literal(value.get_bool());
  if (value.is_int64()) return Literal(value.get_int64());
  ASSIGN(auto object, JsonObject::From(value, "a partition value"));
  if (const auto* bytes = object.Find("bytes")) {
    ASSIGN(auto text, ParseBytes(*bytes));
    return Literal(std::move(text));
  }
  ASSIGN(auto digits, object.String("double"));
  uint64_t bits = 0;
  if (digits.size() != 16 || !ReadNumber(digits, bits, 16))
    return Fail(ErrorKind::kInvalid, "{}: '{}' are not the 16 hexadecimal digits of a double", kWhere, digits);
  return Literal(std::bit_cast<double>(bits));
}

json::object DataFileToJson(const DataFile& file) {
  json::array partition;
  for (const auto& value : file.partition) partition.push_back(LiteralToJson(value));
  json::object object{{"file_path", file.file_path},
                      {"spec_id", file.spec_id},
                      {"partition", std::move(partition)},
                      {"record_count", file.record_count},
                      {"file_size_in_bytes", file.file_size_in_bytes}};
  auto counts = [&](const char* key, const std::map<int, int64_t>& map) {
    if (!map.empty()) object[key] = CountsToJson(map);
  };
  counts("column_sizes", file.column_sizes);
  counts("value_counts", file.value_counts);
  counts("null_value_counts", file.null_value_counts);
  counts("nan_value_counts", file.nan_value_counts);
  if (!file.lower_bounds.empty()) object["lower_bounds"] = BoundsToJson(file.lower_bounds);
  if (!file.upper_bounds.empty()) object["upper_bounds"] = BoundsToJson(file.upper_bounds);
  if (!file.split_offsets.empty())
    object["split_offsets"] = json::array(file.split_offsets.begin(), file.split_offsets.end());
  if (file.sort_order_id) object["sort_order_id"] = *file.sort_order_id;
  if (file.sequence_number != 0) object["sequence_number"] = file.sequence_number;
  if (file.content != DataFile::Content::kData) {
    object["content"] = static_cast<int>(file.content);
    object["format"] = file.format;
    object["equality_ids"] = json::array(file.equality_ids.begin(), file.equality_ids.end());
  }
  if (!file.deletes.empty()) {
    auto& deletes = object["deletes"].emplace_array();
    for (const auto& item : file.deletes) deletes.push_back(DataFileToJson(*item));
  }
  return object;
}

Result<DataFile> ParseDataFile(const json::value& value) {
  ASSIGN(auto object, JsonObject::From(value, std::string(kWhere)));
  DataFile file;
  ASSIGN(file.file_path, object.String("file_path"));
  ASSIGN(file.spec_id, object.Int32("spec_id"));
  ASSIGN(auto partition, object.Array("partition"));
  for (const auto& item : *partition) {
    ASSIGN(auto literal, ParseLiteral(item));
    file.partition.push_back(std::move(literal));
  }
  ASSIGN(file.record_count, object.Int("record_count"));
  ASSIGN(file.file_size_in_bytes, object.Int("file_size_in_bytes"));
  if (file.file_path.empty() || file.record_count < 0 || file.file_size_in_bytes < 0)
    return Fail(ErrorKind::kInvalid, "{}: no path, or a size below zero", kWhere);
  TRY(ParseCounts(object, "column_sizes", file.column_sizes));
  TRY(ParseCounts(object, "value_counts", file.value_counts));
  TRY(ParseCounts(object, "null_value_counts", file.null_value_counts));
  TRY(ParseCounts(object, "nan_value_counts", file.nan_value_counts));
  TRY(ParseBounds(object, "lower_bounds", file.lower_bounds));
  TRY(ParseBounds(object, "upper_bounds", file.upper_bounds));
  if (object.Find("split_offsets") != nullptr) {
    ASSIGN(auto offsets, object.Array("split_offsets"));
    for (const auto& offset : *offsets) {
      if (!offset.is_int64()) return Fail(ErrorKind::kInvalid, "{}: a split offset is not an integer", kWhere);
      file.split_offsets.push_back(offset.get_int64());
    }
  }
  if (object.Find("sort_order_id") != nullptr) {
    ASSIGN(file.sort_order_id, object.Int32("sort_order_id"));
  }
  TRY(ParseDeletes(object, file));
  return file;
}

}  // namespace slipway::iceberg
