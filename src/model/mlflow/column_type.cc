#include "model/mlflow/column_type.h"

#include <arrow/type.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/format.h"

namespace slipway::model {
namespace {

using arrow::Type;

struct About {
  ColumnType type;
  std::string_view name;
  std::shared_ptr<arrow::DataType> arrow;
  std::vector<Type::type> fed_by;  ///< the types of columns that lose nothing by it, and decimals, as of MLflow
};

const std::vector<About>& Types() {
  static const std::vector<About> types{
      {ColumnType::kBoolean, "boolean", arrow::boolean(), {Type::BOOL}},
      {ColumnType::kInteger, "integer", arrow::int32(), {Type::INT8, Type::INT16, Type::INT32}},
      {ColumnType::kLong, "long", arrow::int64(), {Type::INT8, Type::INT16, Type::INT32, Type::INT64}},
      {ColumnType::kFloat, "float", arrow::float32(), {Type::INT8, Type::INT16, Type::FLOAT}},
      {ColumnType::kDouble,
       "double",
       arrow::float64(),
       {Type::INT8, Type::INT16, Type::INT32, Type::FLOAT, Type::DOUBLE, Type::DECIMAL128}},
      {ColumnType::kString, "string", arrow::utf8(), {Type::STRING}},
      {ColumnType::kBinary, "binary", arrow::binary(), {Type::BINARY}},
      {ColumnType::kDatetime, "datetime", arrow::timestamp(arrow::TimeUnit::MICRO), {Type::TIMESTAMP, Type::DATE32}},
  };
  return types;
}

const About* Find(std::string_view name) {
  auto found = std::ranges::find(Types(), name, &About::name);
  return found == Types().end() ? nullptr : &*found;
}

constexpr std::pair<std::string_view, std::string_view> kTensorTypes[] = {
    {"float64", "double"}, {"float32", "float"}, {"int64", "long"},    {"int32", "integer"},
    {"int16", "integer"},  {"int8", "integer"},  {"uint8", "integer"}, {"uint16", "integer"},
    {"bool", "boolean"},   {"object", "string"}, {"str", "string"},    {"datetime64", "datetime"}};

}  // namespace

ColumnType ColumnTypeOf(std::string_view name) {
  const auto* about = Find(name);
  return about == nullptr ? ColumnType::kOther : about->type;
}

std::string_view ColumnTypeOfTensor(std::string_view numpy_name) {
  for (const auto& [numpy, name] : kTensorTypes)
    if (numpy == numpy_name) return name;
  return "";
}

Result<std::shared_ptr<arrow::DataType>> ArrowTypeOf(std::string_view name) {
  constexpr std::string_view kList = "array<";
  if (const auto* about = Find(name)) return about->arrow;
  if (name.starts_with(kList) && name.ends_with(">"))
    if (const auto* element = Find(name.substr(kList.size(), name.size() - kList.size() - 1)))
      return arrow::list(element->arrow);
  return Fail(ErrorKind::kUnsupported, "a prediction of type {} cannot be written to a table", name);
}

bool Feeds(const arrow::DataType& column, std::string_view name) {
  const auto* about = Find(name);
  return about != nullptr && std::ranges::find(about->fed_by, column.id()) != about->fed_by.end();
}

}  // namespace slipway::model
