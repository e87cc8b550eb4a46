#pragma once

#include <arrow/type_fwd.h>

#include <boost/json/value.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace slipway::iceberg {

/// Iceberg spec, "Schemas and Data Types". Lists of such values are kList; structs, maps and other lists are kNested:
/// carried along, neither read nor written.
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
  kList,
  kNested
};

struct Type {
  TypeId id = TypeId::kNested;
  int precision = 0;  ///< decimal
  int scale = 0;      ///< decimal
  int length = 0;     ///< fixed
  // Of a list: its elements, whose precision, scale and length are those above.
  TypeId element = TypeId::kNested;
  int element_id = 0;
  bool element_required = false;

  /// The same values; ids and whether elements may be missing do not matter.
  bool operator==(const Type& other) const {
    return id == other.id && precision == other.precision && scale == other.scale && length == other.length &&
           element == other.element;
  }
};

/// Neither a list nor nested: what filters, keys and features are made of.
bool IsScalar(const Type& type);

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

/// The JSON of a schema without structs and maps.
boost::json::object ToJson(const Schema& schema);

/// The Arrow type that Slipway reads and writes for an Iceberg type (timestamps in microseconds). kUnsupported: nested.
Result<std::shared_ptr<arrow::DataType>> ToArrow(const Type& type);

/// The Iceberg type for an Arrow type; int8 and int16 become int. kUnsupported otherwise.
Result<Type> FromArrowType(const arrow::DataType& type);

/// An Arrow schema whose fields carry their ids as `PARQUET:field_id`.
Result<std::shared_ptr<arrow::Schema>> ToArrow(const std::vector<Field>& fields);

}  // namespace slipway::iceberg
