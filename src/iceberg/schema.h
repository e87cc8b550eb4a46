#pragma once

#include <arrow/type_fwd.h>

#include <boost/json/value.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace slipway::iceberg {

/// Iceberg spec, "Schemas and Data Types". Struct, list and map are kNested: carried along, neither read nor written.
enum class TypeId {
  kBoolean,
  kInt,
  kLong,
  kFloat,
  kDouble,
  kDecimal,
  kDate,
  kTime,
  kTimestamp,
  kTimestamptz,
  kString,
  kUuid,
  kFixed,
  kBinary,
  kNested
};

struct Type {
  TypeId id = TypeId::kNested;
  int precision = 0;  ///< decimal
  int scale = 0;      ///< decimal
  int length = 0;     ///< fixed
  bool operator==(const Type&) const = default;
};

/// "long", "decimal(9,2)", "fixed[16]", …; "nested" for struct, list and map.
std::string ToString(const Type& type);

struct Field {
  int id = 0;
  std::string name;
  bool required = false;
  Type type;
};

/// The top-level columns of a table. Field ids are unique and never reused.
struct Schema {
  int schema_id = 0;
  std::vector<Field> fields;

  const Field* Find(std::string_view name) const;
  const Field* Find(int id) const;
};

/// Reads a schema of a metadata file. kUnsupported names a type of a later format version.
Result<Schema> ParseSchema(const boost::json::value& value);

/// The JSON of a schema without nested columns.
boost::json::object ToJson(const Schema& schema);

/// The Arrow type that Slipway reads and writes for an Iceberg type (timestamps in microseconds). kUnsupported: nested.
Result<std::shared_ptr<arrow::DataType>> ToArrow(const Type& type);

/// The Iceberg type for an Arrow type; int8 and int16 become int. kUnsupported otherwise.
Result<Type> FromArrowType(const arrow::DataType& type);

/// An Arrow schema whose fields carry their ids as `PARQUET:field_id`.
Result<std::shared_ptr<arrow::Schema>> ToArrow(const std::vector<Field>& fields);

}  // namespace slipway::iceberg
