#include "iceberg/avro.h"

#include <algorithm>
#include <boost/json/value.hpp>
#include <cstring>
#include <map>

#include "base/format.h"
#include "base/json.h"
#include "iceberg/limits.h"

namespace slipway::iceberg::avro {
namespace {

using Kind = Schema::Kind;
using Names = std::map<std::string, std::shared_ptr<const Schema>>;

constexpr int kMaxDepth = 32;

constexpr std::pair<std::string_view, Kind> kPrimitives[] = {
    {"null", Kind::kNull},   {"boolean", Kind::kBoolean}, {"int", Kind::kInt},     {"long", Kind::kLong},
    {"float", Kind::kFloat}, {"double", Kind::kDouble},   {"bytes", Kind::kBytes}, {"string", Kind::kString}};

Result<std::shared_ptr<const Schema>> Parse(const json::value& value, Names& names, int depth);

/// Fills in `least` and `nodes` of a node whose children are there.
Result<> Measure(Schema& schema) {
  auto count = [&schema](const Schema& child) {
    schema.nodes = std::min(schema.nodes + child.nodes, kMostSchemaNodes + 1);
  };
  switch (schema.kind) {
    case Kind::kNull: break;
    case Kind::kFloat: schema.least = sizeof(float); break;
    case Kind::kDouble: schema.least = sizeof(double); break;
    case Kind::kFixed: schema.least = schema.size; break;
    case Kind::kRecord:
      for (const auto& field : schema.fields) {
        count(*field.type);
        schema.least = std::min(schema.least + field.type->least, kLargestBlock);
      }
      break;
    case Kind::kUnion: {
      auto less = [](const auto& a, const auto& b) { return a->least < b->least; };
      auto smallest = std::ranges::min_element(schema.branches, less);
      schema.least = 1 + (smallest == schema.branches.end() ? 0 : (*smallest)->least);
      for (const auto& branch : schema.branches) count(*branch);
      break;
    }
    default:
      schema.least = 1;  // a number, a length, or the end of the items
      if (schema.items != nullptr) count(*schema.items);
  }
  if (schema.nodes > kMostSchemaNodes) return Fail(ErrorKind::kCorrupt, "Avro schema: it is too large");
  return {};
}

Result<std::shared_ptr<const Schema>> ParseRecord(const JsonObject& object, Names& names, int depth) {
  auto schema = std::make_shared<Schema>();
  schema->kind = Kind::kRecord;
  ASSIGN(auto fields, object.Array("fields"));
  for (const auto& item : *fields) {
    ASSIGN(auto field, JsonObject::From(item, "Avro field"));
    ASSIGN(auto name, field.String("name"));
    ASSIGN(auto id, field.Int("field-id", -1));
    const auto* type = field.Find("type");
    if (type == nullptr) return Fail(ErrorKind::kCorrupt, "Avro schema: the field '{}' has no type", name);
    ASSIGN(auto parsed, Parse(*type, names, depth + 1));
    schema->fields.push_back({name, static_cast<int>(id), parsed});
  }
  TRY(Measure(*schema));
  return schema;
}

Result<std::shared_ptr<const Schema>> ParseObject(const json::value& value, Names& names, int depth) {
  ASSIGN(auto object, JsonObject::From(value, "Avro schema"));
  const auto* type = object.Find("type");
  if (type == nullptr) return Fail(ErrorKind::kCorrupt, "Avro schema: no type");
  if (!type->is_string()) return Parse(*type, names, depth + 1);
  std::string_view kind = type->get_string();
  auto schema = std::make_shared<Schema>();
  std::shared_ptr<const Schema> made = schema;
  if (kind == "record") {
    ASSIGN(made, ParseRecord(object, names, depth));
  } else if (kind == "array" || kind == "map") {
    schema->kind = kind == "array" ? Kind::kArray : Kind::kMap;
    const auto* items = object.Find(kind == "array" ? "items" : "values");
    if (items == nullptr) return Fail(ErrorKind::kCorrupt, "Avro schema: an {} without items", kind);
    ASSIGN(schema->items, Parse(*items, names, depth + 1));
  } else if (kind == "fixed") {
    schema->kind = Kind::kFixed;
    ASSIGN(auto size, object.Int("size"));
    if (size < 0 || size > (1 << 20)) return Fail(ErrorKind::kCorrupt, "Avro schema: fixed of {} bytes", size);
    schema->size = static_cast<size_t>(size);
  } else if (kind == "enum") {
    schema->kind = Kind::kEnum;
  } else {
    return Parse(*type, names, depth + 1);
  }
  if (made == schema) TRY(Measure(*schema));
  ASSIGN(auto name, object.OptionalString("name"));
  if (name) names[*name] = made;
  return made;
}

Result<std::shared_ptr<const Schema>> Parse(const json::value& value, Names& names, int depth) {
  if (depth > kMaxDepth) return Fail(ErrorKind::kCorrupt, "Avro schema: nested too deeply");
  if (value.is_object()) return ParseObject(value, names, depth);
  auto schema = std::make_shared<Schema>();
  if (value.is_array()) {
    schema->kind = Kind::kUnion;
    for (const auto& branch : value.get_array()) {
      ASSIGN(auto parsed, Parse(branch, names, depth + 1));
      schema->branches.push_back(parsed);
    }
    TRY(Measure(*schema));
    return schema;
  }
  if (!value.is_string()) return Fail(ErrorKind::kCorrupt, "Avro schema: neither name, object nor union");
  std::string name(value.get_string());
  for (const auto& [text, kind] : kPrimitives) {
    if (text != name) continue;
    schema->kind = kind;
    TRY(Measure(*schema));
    return schema;
  }
  auto named = names.find(name);
  if (named == names.end()) return Fail(ErrorKind::kCorrupt, "Avro schema: unknown type '{}'", name);
  return named->second;
}

}  // namespace

Result<std::shared_ptr<const Schema>> ParseSchema(std::string_view text) {
  ASSIGN(auto value, ParseJson(text));
  Names names;
  return Parse(value, names, 0);
}

int64_t Decoder::Long() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) break;
    auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1));
  }
  ok_ = false;
  return 0;
}

std::string_view Decoder::Fixed(size_t size) {
  if (!ok_ || size > rest_.size()) {
    ok_ = false;
    return {};
  }
  auto bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return bytes;
}

bool Decoder::Boolean() {
  auto bytes = Fixed(1);
  return !bytes.empty() && bytes[0] != 0;
}

float Decoder::Float() {
  float value = 0;
  if (auto bytes = Fixed(sizeof value); ok_) std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

double Decoder::Double() {
  double value = 0;
  if (auto bytes = Fixed(sizeof value); ok_) std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::string_view Decoder::Bytes() {
  auto size = Long();
  if (size < 0) ok_ = false;
  return ok_ ? Fixed(static_cast<size_t>(size)) : std::string_view{};
}

int64_t Decoder::BlockCount() {
  auto count = Long();
  if (count < 0) {  // a negative count is followed by the block's size in bytes
    Long();
    if (count == INT64_MIN) ok_ = false;
    count = ok_ ? -count : 0;
  }
  // What follows has at least the end of the items, and no item that Iceberg knows has no bytes.
  if (count > static_cast<int64_t>(rest_.size())) ok_ = false;
  return ok_ ? count : 0;
}

const Schema* Decoder::Resolve(const Schema& schema) {
  if (schema.kind != Kind::kUnion) return &schema;
  auto branch = Long();
  if (branch < 0 || static_cast<size_t>(branch) >= schema.branches.size()) ok_ = false;
  return ok_ ? schema.branches[static_cast<size_t>(branch)].get() : nullptr;
}

void Decoder::Skip(const Schema& schema, int depth) {
  if (depth > kMaxDepth) ok_ = false;
  if (!ok_) return;
  switch (schema.kind) {
    case Kind::kNull: return;
    case Kind::kBoolean: Fixed(1); return;
    case Kind::kInt:
    case Kind::kLong:
    case Kind::kEnum: Long(); return;
    case Kind::kFloat: Fixed(4); return;
    case Kind::kDouble: Fixed(8); return;
    case Kind::kBytes:
    case Kind::kString: Bytes(); return;
    case Kind::kFixed: Fixed(schema.size); return;
    case Kind::kRecord:
      for (const auto& field : schema.fields) Skip(*field.type, depth + 1);
      return;
    case Kind::kUnion:
      if (const auto* branch = Resolve(schema)) Skip(*branch, depth + 1);
      return;
    case Kind::kArray:
    case Kind::kMap:
      Array([&] {
        if (schema.kind == Kind::kMap) Bytes();
        Skip(*schema.items, depth + 1);
      });
      return;
  }
}

void Encoder::Long(int64_t value) {
  auto zigzag = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  for (; zigzag >= 0x80; zigzag >>= 7) bytes_ += static_cast<char>((zigzag & 0x7f) | 0x80);
  bytes_ += static_cast<char>(zigzag);
}

void Encoder::Float(float value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }

void Encoder::Double(double value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }

void Encoder::Bytes(std::string_view value) {
  Long(static_cast<int64_t>(value.size()));
  bytes_ += value;
}

}  // namespace slipway::iceberg::avro
