#include "iceberg/schema.h"

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

#include <array>
#include <boost/json/object.hpp>
#include <charconv>
#include <utility>

#include "base/format.h"
#include "base/json.h"

namespace slipway::iceberg {
namespace {

struct Name {
  std::string_view text;
  TypeId id;
};
constexpr std::array kNames = {
    Name{"boolean", TypeId::kBoolean},
    Name{"int", TypeId::kInt},
    Name{"long", TypeId::kLong},
    Name{"float", TypeId::kFloat},
    Name{"double", TypeId::kDouble},
    Name{"date", TypeId::kDate},
    Name{"time", TypeId::kTime},
    Name{"timestamp", TypeId::kTimestamp},
    Name{"timestamptz", TypeId::kTimestamptz},
    Name{"string", TypeId::kString},
    Name{"uuid", TypeId::kUuid},
    Name{"binary", TypeId::kBinary},
    Name{"decimal", TypeId::kDecimal},
    Name{"fixed", TypeId::kFixed},
    Name{"nested", TypeId::kNested},
};

/// The numbers between brackets: "decimal(9, 2)" gives 9 and 2.
bool ReadNumbers(std::string_view text, std::initializer_list<int*> numbers) {
  const char* at = text.data();
  const char* end = at + text.size();
  for (int* number : numbers) {
    while (at != end && (*at < '0' || *at > '9')) ++at;
    auto [next, code] = std::from_chars(at, end, *number);
    if (code != std::errc{}) return false;
    at = next;
  }
  return true;
}

Result<Type> ParseType(const json::value& value, std::string_view where);

Type ElementOf(const Type& list) {
  auto element = list;
  element.id = std::exchange(element.element, TypeId::kNested);
  return element;
}

/// A list of scalars, or something that is only carried along.
Result<Type> ParseNested(const json::value& value, std::string_view where) {
  ASSIGN(auto object, JsonObject::From(value, std::string(where)));
  const auto *kind = object.Find("type"), *element = object.Find("element");
  if (kind == nullptr || *kind != "list" || element == nullptr || !element->is_string()) return Type{TypeId::kNested};
  ASSIGN(auto list, ParseType(*element, where));
  list.element = std::exchange(list.id, TypeId::kList);
  ASSIGN(list.element_id, object.Int32("element-id"));
  ASSIGN(list.element_required, object.Bool("element-required"));
  return list;
}

json::value TypeToJson(const Type& type) {
  if (type.id != TypeId::kList) return json::string(ToString(type));
  return json::object{{"type", "list"},
                      {"element-id", type.element_id},
                      {"element", ToString(ElementOf(type))},
                      {"element-required", type.element_required}};
}

Result<Type> ParseType(const json::value& value, std::string_view where) {
  if (value.is_object()) return ParseNested(value, where);
  if (!value.is_string()) return Fail(ErrorKind::kCorrupt, "{}: the type is neither a string nor an object", where);
  std::string_view text = value.get_string();
  Type type;
  if (text.starts_with("decimal(")) {
    type.id = TypeId::kDecimal;
    if (ReadNumbers(text, {&type.precision, &type.scale}) && type.precision >= 1 && type.precision <= 38) return type;
  } else if (text.starts_with("fixed[")) {
    type.id = TypeId::kFixed;
    if (ReadNumbers(text, {&type.length}) && type.length > 0) return type;
  } else {
    for (const auto& name : kNames) {
      if (name.text == text && name.id < TypeId::kNested && name.id != TypeId::kDecimal && name.id != TypeId::kFixed)
        return Type{name.id};
    }
  }
  return Fail(ErrorKind::kUnsupported, "{}: the type '{}' is not supported (Slipway reads format versions 1 and 2)",
              where, text);
}

}  // namespace

bool IsScalar(const Type& type) { return type.id != TypeId::kList && type.id != TypeId::kNested; }

std::string ToString(const Type& type) {
  if (type.id == TypeId::kList) return fmt::format("list<{}>", ToString(ElementOf(type)));
  if (type.id == TypeId::kDecimal) return fmt::format("decimal({}, {})", type.precision, type.scale);
  if (type.id == TypeId::kFixed) return fmt::format("fixed[{}]", type.length);
  for (const auto& name : kNames)
    if (name.id == type.id) return std::string(name.text);
  return "unknown";
}

const Field* Schema::Find(std::string_view name) const {
  for (const auto& field : fields)
    if (field.name == name) return &field;
  return nullptr;
}

const Field* Schema::Find(int id) const {
  for (const auto& field : fields)
    if (field.id == id) return &field;
  return nullptr;
}

Result<Schema> ParseSchema(const json::value& value) {
  ASSIGN(auto object, JsonObject::From(value, "schema"));
  Schema schema;
  ASSIGN(auto schema_id, object.Int("schema-id", 0));
  schema.schema_id = static_cast<int>(schema_id);
  ASSIGN(auto fields, object.Array("fields"));
  for (const auto& item : *fields) {
    ASSIGN(auto json_field, JsonObject::From(item, "schema field"));
    Field field;
    ASSIGN(field.id, json_field.Int32("id"));
    ASSIGN(field.name, json_field.String("name"));
    ASSIGN(field.required, json_field.Bool("required"));
    const auto* type = json_field.Find("type");
    if (type == nullptr) return Fail(ErrorKind::kCorrupt, "schema field '{}' has no type", field.name);
    ASSIGN(field.type, ParseType(*type, "column '" + field.name + "'"));
    schema.fields.push_back(std::move(field));
  }
  return schema;
}

json::object ToJson(const Schema& schema) {
  json::array fields;
  for (const auto& field : schema.fields) {
    fields.push_back(json::object{
        {"id", field.id}, {"name", field.name}, {"required", field.required}, {"type", TypeToJson(field.type)}});
  }
  return {{"type", "struct"},
          {"schema-id", schema.schema_id},
          {"identifier-field-ids", json::array{}},
          {"fields", std::move(fields)}};
}

Result<std::shared_ptr<arrow::DataType>> ToArrow(const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean: return arrow::boolean();
    case TypeId::kInt: return arrow::int32();
    case TypeId::kLong: return arrow::int64();
    case TypeId::kFloat: return arrow::float32();
    case TypeId::kDouble: return arrow::float64();
    case TypeId::kDecimal: return arrow::decimal128(type.precision, type.scale);
    case TypeId::kDate: return arrow::date32();
    case TypeId::kTime: return arrow::time64(arrow::TimeUnit::MICRO);
    case TypeId::kTimestamp: return arrow::timestamp(arrow::TimeUnit::MICRO);
    case TypeId::kTimestamptz: return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
    case TypeId::kString: return arrow::utf8();
    case TypeId::kUuid: return arrow::fixed_size_binary(16);
    case TypeId::kFixed: return arrow::fixed_size_binary(type.length);
    case TypeId::kBinary: return arrow::binary();
    case TypeId::kList: {
      ASSIGN(auto element, ToArrow(ElementOf(type)));
      auto id = arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(type.element_id)});
      return arrow::list(arrow::field("element", element, !type.element_required, id));
    }
    case TypeId::kNested: break;
  }
  return Fail(ErrorKind::kUnsupported, "struct and map columns, and lists of them, are not supported yet");
}

Result<Type> FromArrowType(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::BOOL: return Type{TypeId::kBoolean};
    case arrow::Type::INT8:
    case arrow::Type::INT16:
    case arrow::Type::INT32: return Type{TypeId::kInt};
    case arrow::Type::INT64: return Type{TypeId::kLong};
    case arrow::Type::FLOAT: return Type{TypeId::kFloat};
    case arrow::Type::DOUBLE: return Type{TypeId::kDouble};
    case arrow::Type::STRING: return Type{TypeId::kString};
    case arrow::Type::BINARY: return Type{TypeId::kBinary};
    case arrow::Type::DATE32: return Type{TypeId::kDate};
    case arrow::Type::TIMESTAMP: {
      const auto& timestamp = static_cast<const arrow::TimestampType&>(type);
      return Type{timestamp.timezone().empty() ? TypeId::kTimestamp : TypeId::kTimestamptz};
    }
    case arrow::Type::LIST: {
      ASSIGN(auto list, FromArrowType(*static_cast<const arrow::ListType&>(type).value_type()));
      if (!IsScalar(list)) return Fail(ErrorKind::kUnsupported, "lists of {} cannot be written", ToString(list));
      list.element = std::exchange(list.id, TypeId::kList);
      return list;
    }
    default: return Fail(ErrorKind::kUnsupported, "no Iceberg type for Arrow's {}", type.ToString());
  }
}

Result<std::shared_ptr<arrow::Schema>> ToArrow(const std::vector<Field>& fields) {
  arrow::FieldVector columns;
  for (const auto& field : fields) {
    ASSIGN(auto type, Wrap(ToArrow(field.type), "column '" + field.name + "'"));
    columns.push_back(arrow::field(field.name, type, !field.required,
                                   arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(field.id)})));
  }
  return arrow::schema(std::move(columns));
}

}  // namespace slipway::iceberg
