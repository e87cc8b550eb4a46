#include "model/signature.h"

#include "base/format.h"
#include "base/json.h"

namespace slipway::model {
namespace {

Result<std::vector<ColumnSpec>> ParseColumns(const std::string& text, bool inputs) {
  std::vector<ColumnSpec> columns;
  if (text.empty()) return columns;
  ASSIGN(auto value, Wrap(ParseJson(text), "signature"));
  if (!value.is_array()) return Fail(ErrorKind::kInvalid, "signature: not a list of columns");
  for (const auto& item : value.get_array()) {
    ASSIGN(auto object, JsonObject::From(item, "signature column"));
    ASSIGN(auto type, object.String("type"));
    if (type == "tensor" && !inputs) return std::vector<ColumnSpec>{};
    if (type == "tensor" || type == "array" || type == "object" || type == "map")
      return Fail(ErrorKind::kUnsupported, "the signature's {} is of type {}; only named scalar columns can be fed from a table",
                  inputs ? "input" : "output", type);
    ColumnSpec column;
    column.type = type;
    ASSIGN(column.name, object.String("name", inputs ? "" : "prediction"));
    if (column.name.empty()) return Fail(ErrorKind::kUnsupported, "the signature's inputs have no names");
    ASSIGN(column.required, object.Bool("required", true));
    columns.push_back(std::move(column));
  }
  return columns;
}

}  // namespace

Result<Signature> ParseSignature(const std::string& inputs_json, const std::string& outputs_json) {
  Signature signature;
  ASSIGN(signature.inputs, ParseColumns(inputs_json, true));
  ASSIGN(signature.outputs, ParseColumns(outputs_json, false));
  return signature;
}

}  // namespace slipway::model
