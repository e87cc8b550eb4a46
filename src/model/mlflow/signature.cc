#include "model/mlflow/signature.h"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <set>

#include "base/format.h"
#include "base/json.h"
#include "model/mlflow/column_type.h"

namespace slipway::model {
namespace {

constexpr int64_t kMostTensorColumns = 100'000;

/// A tensor `[rows]` is a column, one `[rows, n]` n of them: `prediction`, or `prediction_0`, …. A column that goes in
/// has the tensor's own name; where that does not do, `names` are those of all.
Result<> AddTensor(const JsonObject& column, bool inputs, const std::vector<std::string>& names,
                   std::vector<ColumnSpec>& columns) {
  ASSIGN(auto spec, column.Object("tensor-spec"));
  ASSIGN(auto dtype, spec.String("dtype"));
  ASSIGN(const auto* shape, spec.Array("shape"));
  ASSIGN(auto name, column.String("name", inputs ? "" : "prediction"));
  std::string type(ColumnTypeOfTensor(dtype));
  if (type.empty()) return Fail(ErrorKind::kUnsupported, "the signature has a tensor of type {}", dtype);
  auto size = shape->size() == 2 && (*shape)[1].is_int64() ? (*shape)[1].get_int64() : int64_t{1};
  if (shape->empty() || shape->size() > 2 || size < 1 || size > kMostTensorColumns)
    return Fail(
        ErrorKind::kUnsupported,
        "the signature's {} '{}' is a tensor of more than two dimensions: its rows cannot be columns of a table",
        inputs ? "input" : "output", name);
  if (inputs && names.empty() && (name.empty() || size != 1))
    return Fail(ErrorKind::kUnsupported,
                "the signature's input is a tensor of {} columns without names: log the model with "
                "metadata={{\"slipway.columns\": [\"…\", …]}}, "
                "or with a signature inferred from a DataFrame",
                size);
  if (inputs && !names.empty()) {
    if (std::ssize(names) != size)
      return Fail(ErrorKind::kInvalid, "slipway.columns names {} columns, but the model's tensor has {}", names.size(),
                  size);
    std::set<std::string_view> seen;
    for (const auto& one : names) {
      if (!seen.insert(one).second) return Fail(ErrorKind::kInvalid, "slipway.columns names '{}' twice", one);
      columns.push_back({one, type, true});
    }
    return {};
  }
  for (int64_t k = 0; k < size; ++k) columns.push_back({size == 1 ? name : fmt::format("{}_{}", name, k), type, true});
  return {};
}

Result<std::vector<ColumnSpec>> ParseColumns(const std::string& text, bool inputs,
                                             const std::vector<std::string>& names = {}) {
  std::vector<ColumnSpec> columns;
  if (text.empty()) return columns;
  ASSIGN(auto value, Wrap(ParseJson(text), "signature"));
  if (!value.is_array()) return Fail(ErrorKind::kInvalid, "signature: not a list of columns");
  for (const auto& item : value.get_array()) {
    ASSIGN(auto object, JsonObject::From(item, "signature column"));
    ASSIGN(auto type, object.String("type"));
    if (!names.empty() && (type != "tensor" || value.get_array().size() != 1))
      return Fail(ErrorKind::kInvalid,
                  "slipway.columns names the columns of one tensor, but the signature has columns of its own");
    if (type == "tensor") {
      TRY(AddTensor(object, inputs, names, columns));
      continue;
    }
    if (type == "array" && !inputs) {
      ASSIGN(auto items, object.Object("items"));
      ASSIGN(auto item, items.String("type"));
      type = fmt::format("array<{}>", item);
    }
    if (type == "array" || type == "object" || type == "map")
      return Fail(ErrorKind::kUnsupported,
                  "the signature's {} is of type {}; only scalar columns can be read from a table and written to one",
                  inputs ? "input" : "output", type);
    ColumnSpec column;
    column.type = type;
    ASSIGN(column.name, object.String("name", inputs ? "" : "prediction"));
    if (column.name.empty()) return Fail(ErrorKind::kUnsupported, "the signature's inputs have no names");
    ASSIGN(column.required, object.Bool("required", true));
    columns.push_back(std::move(column));
  }
  if (!inputs && columns.size() > 1 &&
      std::ranges::all_of(columns, [](const auto& c) { return c.name == "prediction"; }))
    for (size_t k = 0; k < columns.size(); ++k) columns[k].name = fmt::format("prediction_{}", k);
  return columns;
}

Result<std::vector<ParameterSpec>> ParseParameters(const std::string& text) {
  std::vector<ParameterSpec> parameters;
  if (text.empty()) return parameters;
  ASSIGN(auto value, Wrap(ParseJson(text), "signature"));
  if (!value.is_array()) return Fail(ErrorKind::kInvalid, "signature: not a list of parameters");
  for (const auto& item : value.get_array()) {
    ASSIGN(auto object, JsonObject::From(item, "signature parameter"));
    ParameterSpec parameter;
    ASSIGN(parameter.name, object.String("name"));
    ASSIGN(parameter.type, object.String("type", ""));
    const auto* fallback = object.Find("default");
    parameter.fallback = fallback == nullptr ? "null" : json::serialize(*fallback);
    parameters.push_back(std::move(parameter));
  }
  return parameters;
}

}  // namespace

Result<Signature> ParseSignature(const std::string& inputs_json, const std::string& outputs_json,
                                 const std::string& parameters_json, const std::vector<std::string>& names) {
  Signature signature;
  ASSIGN(signature.inputs, ParseColumns(inputs_json, true, names));
  ASSIGN(signature.outputs, ParseColumns(outputs_json, false));
  // They are only shown, and MLflow writes NaN, which is not JSON.
  auto parameters = ParseParameters(parameters_json);
  signature.parameters = parameters ? *parameters : std::vector{ParameterSpec{"", "", parameters_json}};
  return signature;
}

}  // namespace slipway::model
