#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace slipway::contract {

namespace json = boost::json;

inline constexpr size_t kMostErrors = 100;         ///< of one answer; one more entry says that there are more
inline constexpr size_t kMostItems = 1000;         ///< of a list
inline constexpr size_t kMostCharacters = 65'536;  ///< of a text, where its description says nothing else

/// One entry of a 422's `detail`, as FastAPI and Pydantic v2 write it.
struct ValidationError {
  std::string type;
  std::vector<json::value> loc;  ///< "body", then names and indexes
  std::string msg;
  json::value input;  ///< shortened
  std::optional<json::value> ctx;
};

json::value ToJson(const ValidationError& error);

/// Adds an error, as far as an answer may have more.
void AddError(std::vector<ValidationError>& errors, ValidationError error);

/// A `value_error` at a field of the body, for what a body means rather than how it is formed.
ValidationError ValueError(std::vector<std::string> loc, std::string message, const json::value& input);

/// The description of one field's type: from it come parsing, its errors and the OpenAPI schema.
struct TypeDescription {
  enum class Kind { kString, kInteger, kBoolean, kStringList, kLiteral, kObject };
  Kind kind = Kind::kString;
  bool nullable = false;
  std::optional<size_t> max_length;
  std::string pattern;  ///< shown; `matches` decides
  bool (*matches)(std::string_view) = nullptr;
  std::vector<std::string> literals;                 ///< kLiteral; of a kStringList: what its items may be, or any text
  std::optional<int64_t> least, most;                ///< kInteger
  std::optional<size_t> least_items;                 ///< kStringList
  const struct ObjectDescription* object = nullptr;  ///< kObject
};

struct FieldDescription {
  std::string name;
  TypeDescription type;
  std::optional<json::value> fallback;  ///< absent: the field is required
  std::string text;                     ///< for people, in the OpenAPI document
  bool optional = false;                ///< may be absent, and is then absent from what Parse returns
};

struct ObjectDescription {
  std::string name;
  std::vector<FieldDescription> fields;
  /// A rule over the whole object, asked when every field is well formed; the message of its value_error.
  std::function<std::optional<std::string>(const json::object&)> rule;
  json::object schema;  ///< the same rule as JSON Schema keywords
  /// Fields that must not be named here, each with the message of its value_error: an unknown field is ignored, but one
  /// that exists elsewhere would be taken for done.
  std::vector<std::pair<std::string, std::string>> refused;
};

/// Fields that no description has: collected by name, also nested ones ("source.filtersql"); where they are `refused`,
/// each is an error, too.
struct UnknownFields {
  bool refused = false;
  std::vector<std::string> names;
};

/// `input` as the description has it: every field present, values in their own type ("12" for an integer becomes 12).
/// All errors are appended.
json::object Parse(const ObjectDescription& description, const json::value& input, std::vector<json::value> loc,
                   std::vector<ValidationError>& errors, UnknownFields* unknown = nullptr);

/// The JSON Schema (2020-12) of an object.
json::object ToSchema(const ObjectDescription& description);

}  // namespace slipway::contract
