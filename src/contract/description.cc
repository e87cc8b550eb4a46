#include "contract/description.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <expected>
#include <system_error>

#include "base/format.h"
#include "contract/shortened.h"
#include "contract/unknown_fields.h"

namespace slipway::contract {
namespace {

using Loc = std::vector<json::value>;
using Errors = std::vector<ValidationError>;
using Kind = TypeDescription::Kind;

constexpr size_t kMostOfAnItem = 255;  // characters: an item is a name

size_t CodePoints(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

json::value Refuse(Errors& errors, const Loc& loc, std::string type, std::string msg, const json::value& input,
                   std::optional<json::value> ctx = std::nullopt) {
  AddError(errors, {std::move(type), loc, std::move(msg), Shortened(input), std::move(ctx)});
  return nullptr;
}

json::value RefuseValue(Errors& errors, const Loc& loc, std::string_view why, const json::value& input) {
  return Refuse(errors, loc, "value_error", "Value error, " + std::string(why), input,
                json::object{{"error", json::object{}}});
}

json::value ParseString(const TypeDescription& type, const json::value& input, const Loc& loc, Errors& errors) {
  if (!input.is_string()) return Refuse(errors, loc, "string_type", "Input should be a valid string", input);
  std::string_view text = input.get_string();
  if (auto most = type.max_length.value_or(kMostCharacters); CodePoints(text) > most)
    return Refuse(errors, loc, "string_too_long", fmt::format("String should have at most {} characters", most), input,
                  json::object{{"max_length", most}});
  if (type.matches != nullptr && !type.matches(text))
    return Refuse(errors, loc, "string_pattern_mismatch", fmt::format("String should match pattern '{}'", type.pattern),
                  input, json::object{{"pattern", type.pattern}});
  return input;
}

/// Pydantic's lax integers in text: digits with an optional sign and single underscores, spaces around, zeros behind a
/// point.
std::expected<int64_t, std::errc> IntegerInText(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  if (auto point = text.find('.'); point != std::string_view::npos) {
    if (text.find_first_not_of('0', point + 1) != std::string_view::npos || point + 1 == text.size())
      return std::unexpected(std::errc::invalid_argument);
    text = text.substr(0, point);
  }
  std::string digits;
  for (size_t i = 0; i < text.size(); ++i) {
    bool between = i > 0 && i + 1 < text.size() && std::isdigit(static_cast<unsigned char>(text[i - 1])) &&
                   std::isdigit(static_cast<unsigned char>(text[i + 1]));
    if (text[i] == '_' && between) continue;
    if (text[i] == '+' && i == 0 && text.size() > 1 && text[1] != '-') continue;
    digits += text[i];
  }
  int64_t value = 0;
  auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end != digits.data() + digits.size() || digits.empty()) return std::unexpected(std::errc::invalid_argument);
  if (code != std::errc{}) return std::unexpected(code);
  return value;
}

/// Python's integers have no end; a snapshot id has 64 bits.
json::value BeyondInt64(Errors& errors, const Loc& loc, const json::value& input) {
  return RefuseValue(errors, loc, "the number is beyond 64 bits", input);
}

json::value ParseInteger(const json::value& input, const Loc& loc, Errors& errors) {
  if (input.is_int64()) return input;
  if (input.is_uint64()) return BeyondInt64(errors, loc, input);
  if (input.is_bool()) return input.get_bool() ? 1 : 0;
  if (input.is_double()) {
    double value = input.get_double();
    if (!std::isfinite(value)) return Refuse(errors, loc, "finite_number", "Input should be a finite number", input);
    if (value != std::trunc(value))
      return Refuse(errors, loc, "int_from_float",
                    "Input should be a valid integer, got a number with a fractional part", input);
    if (std::fabs(value) < 9.2e18) return static_cast<int64_t>(value);
    return Refuse(errors, loc, "int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size",
                  input);
  }
  if (!input.is_string()) return Refuse(errors, loc, "int_type", "Input should be a valid integer", input);
  auto value = IntegerInText(input.get_string());
  if (value) return *value;
  if (value.error() == std::errc::result_out_of_range) return BeyondInt64(errors, loc, input);
  return Refuse(errors, loc, "int_parsing", "Input should be a valid integer, unable to parse string as an integer",
                input);
}

json::value WithinBounds(const TypeDescription& type, const json::value& value, const json::value& input,
                         const Loc& loc, Errors& errors) {
  if (!value.is_int64()) return value;
  if (type.least && value.get_int64() < *type.least)
    return Refuse(errors, loc, "greater_than_equal",
                  fmt::format("Input should be greater than or equal to {}", *type.least), input,
                  json::object{{"ge", *type.least}});
  if (type.most && value.get_int64() > *type.most)
    return Refuse(errors, loc, "less_than_equal", fmt::format("Input should be less than or equal to {}", *type.most),
                  input, json::object{{"le", *type.most}});
  return value;
}

json::value ParseBoolean(const json::value& input, const Loc& loc, Errors& errors) {
  if (input.is_bool()) return input;
  auto unclear = [&] {
    return Refuse(errors, loc, "bool_parsing", "Input should be a valid boolean, unable to interpret input", input);
  };
  if (input.is_string()) {
    std::string word(input.get_string());
    std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (const auto* yes : {"1", "on", "t", "true", "y", "yes"})
      if (word == yes) return true;
    for (const auto* no : {"0", "off", "f", "false", "n", "no"})
      if (word == no) return false;
    return unclear();
  }
  if (input.is_int64() || input.is_uint64()) {
    if (input == 0 || input == 1) return input == 1;
    return unclear();
  }
  // Pydantic reads a float here as the integer it stands for, where there is one in 64 bits.
  if (input.is_double() && std::trunc(input.get_double()) == input.get_double() &&
      std::fabs(input.get_double()) < 9.2e18) {
    if (input.get_double() == 0 || input.get_double() == 1) return input.get_double() == 1;
    return unclear();
  }
  return Refuse(errors, loc, "bool_type", "Input should be a valid boolean", input);
}

std::string Alternatives(const std::vector<std::string>& literals) {
  std::string text;
  for (size_t i = 0; i < literals.size(); ++i)
    text += (i == 0 ? "" : i + 1 == literals.size() ? " or " : ", ") + fmt::format("'{}'", literals[i]);
  return text;
}

json::value ParseLiteral(const TypeDescription& type, const json::value& input, const Loc& loc, Errors& errors) {
  for (const auto& literal : type.literals)
    if (input.is_string() && input.get_string() == literal) return input;
  auto expected = Alternatives(type.literals);
  return Refuse(errors, loc, "literal_error", "Input should be " + expected, input,
                json::object{{"expected", expected}});
}

json::value ParseList(const TypeDescription& type, const json::value& input, const Loc& loc, Errors& errors) {
  if (!input.is_array()) return Refuse(errors, loc, "list_type", "Input should be a valid list", input);
  auto size = input.get_array().size();
  if (auto least = type.least_items.value_or(0); size < least)
    return Refuse(
        errors, loc, "too_short",
        fmt::format("List should have at least {} item{} after validation, not {}", least, least == 1 ? "" : "s", size),
        input, json::object{{"field_type", "List"}, {"min_length", least}, {"actual_length", size}});
  if (size > kMostItems)
    return Refuse(errors, loc, "too_long",
                  fmt::format("List should have at most {} items after validation, not {}", kMostItems, size), input,
                  json::object{{"field_type", "List"}, {"max_length", kMostItems}, {"actual_length", size}});
  json::array list;
  for (size_t i = 0; i < input.get_array().size(); ++i) {
    auto at = loc;
    at.emplace_back(i);
    const auto& item = input.get_array()[i];
    list.push_back(type.literals.empty() ? ParseString({.max_length = kMostOfAnItem}, item, at, errors)
                                         : ParseLiteral(type, item, at, errors));
  }
  return list;
}

json::value ParseType(const TypeDescription& type, const json::value& input, const Loc& loc, Errors& errors,
                      UnknownFields* unknown) {
  if (type.nullable && input.is_null()) return nullptr;
  switch (type.kind) {
    case Kind::kString: return ParseString(type, input, loc, errors);
    case Kind::kInteger: return WithinBounds(type, ParseInteger(input, loc, errors), input, loc, errors);
    case Kind::kBoolean: return ParseBoolean(input, loc, errors);
    case Kind::kStringList: return ParseList(type, input, loc, errors);
    case Kind::kLiteral: return ParseLiteral(type, input, loc, errors);
    case Kind::kObject: return Parse(*type.object, input, loc, errors, unknown);
  }
  return nullptr;
}

json::object TypeSchema(const TypeDescription& type) {
  json::object schema;
  switch (type.kind) {
    case Kind::kString: schema["type"] = "string"; break;
    case Kind::kInteger:
      schema = {{"type", "integer"}, {"format", "int64"}};
      schema["minimum"] = type.least.value_or(INT64_MIN);
      schema["maximum"] = type.most.value_or(INT64_MAX);
      break;
    case Kind::kBoolean: schema["type"] = "boolean"; break;
    case Kind::kStringList:
      schema = {{"type", "array"}, {"items", json::object{{"type", "string"}}}};
      if (type.literals.empty())
        schema["items"].as_object()["maxLength"] = kMostOfAnItem;
      else
        schema["items"].as_object()["enum"] = json::array(type.literals.begin(), type.literals.end());
      if (type.least_items) schema["minItems"] = *type.least_items;
      schema["maxItems"] = kMostItems;
      break;
    case Kind::kLiteral:
      schema = {{"type", "string"}, {"enum", json::array(type.literals.begin(), type.literals.end())}};
      break;
    case Kind::kObject: schema["$ref"] = "#/components/schemas/" + type.object->name; break;
  }
  if (type.max_length) schema["maxLength"] = *type.max_length;
  if (!type.pattern.empty()) schema["pattern"] = type.pattern;
  if (type.nullable) return {{"anyOf", json::array{std::move(schema), json::object{{"type", "null"}}}}};
  return schema;
}

void CollectUnknown(const ObjectDescription& description, const json::object& object, const Loc& loc, Errors& errors,
                    UnknownFields& unknown) {
  std::string above;
  for (size_t i = 1; i < loc.size(); ++i) above += std::string(loc[i].as_string()) + ".";
  auto room = kMostErrors - std::min(kMostErrors, unknown.names.size());
  for (const auto& name : UnknownMembers(description, object, room)) {
    unknown.names.push_back(above + name);
    if (!unknown.refused) continue;
    auto at = loc;
    at.emplace_back(name);
    auto meant = Meant(description, name);
    Refuse(errors, at, "extra_forbidden",
           "Extra inputs are not permitted" + (meant.empty() ? "" : fmt::format(": did you mean '{}'?", meant)),
           object.at(name));
  }
}

}  // namespace

json::value ToJson(const ValidationError& error) {
  json::object object{{"type", error.type},
                      {"loc", json::array(error.loc.begin(), error.loc.end())},
                      {"msg", error.msg},
                      {"input", error.input}};
  if (error.ctx) object["ctx"] = *error.ctx;
  return object;
}

void AddError(std::vector<ValidationError>& errors, ValidationError error) {
  if (errors.size() < kMostErrors) return errors.push_back(std::move(error));
  if (errors.size() == kMostErrors)
    errors.push_back({"too_many_errors",
                      {"body"},
                      fmt::format("There are more errors: these are the first {}", kMostErrors),
                      nullptr,
                      std::nullopt});
}

ValidationError ValueError(std::vector<std::string> loc, std::string message, const json::value& input) {
  ValidationError error{
      "value_error", {"body"}, "Value error, " + message, Shortened(input), json::object{{"error", json::object{}}}};
  for (auto& part : loc) error.loc.emplace_back(std::move(part));
  return error;
}

json::object Parse(const ObjectDescription& description, const json::value& input, Loc loc, Errors& errors,
                   UnknownFields* unknown) {
  json::object result;
  if (!input.is_object()) {
    Refuse(errors, loc, "model_attributes_type", "Input should be a valid dictionary or object to extract fields from",
           input);
    return result;
  }
  const auto& object = input.get_object();
  auto before = errors.size();
  for (const auto& field : description.fields) {
    auto at = loc;
    at.emplace_back(field.name);
    const auto* value = object.if_contains(field.name);
    if (value != nullptr)
      result[field.name] = ParseType(field.type, *value, at, errors, unknown);
    else if (field.fallback)
      result[field.name] = *field.fallback;
    else if (!field.optional)
      Refuse(errors, at, "missing", "Field required", input);
  }
  for (const auto& [name, why] : description.refused) {
    auto at = loc;
    at.emplace_back(name);
    if (const auto* value = object.if_contains(name)) RefuseValue(errors, at, why, *value);
  }
  if (unknown != nullptr) CollectUnknown(description, object, loc, errors, *unknown);
  if (errors.size() == before && description.rule) {
    if (auto broken = description.rule(result)) RefuseValue(errors, loc, *broken, input);
  }
  return result;
}

json::object ToSchema(const ObjectDescription& description) {
  json::object properties;
  json::array required;
  for (const auto& field : description.fields) {
    auto schema = TypeSchema(field.type);
    if (field.fallback)
      schema["default"] = *field.fallback;
    else if (!field.optional)
      required.emplace_back(field.name);
    if (!field.text.empty()) schema["description"] = field.text;
    properties[field.name] = std::move(schema);
  }
  for (const auto& [name, why] : description.refused)
    properties[name] = json::object{{"not", json::object()}, {"description", why}};
  json::object schema{{"type", "object"},
                      {"title", description.name},
                      {"properties", std::move(properties)},
                      {"required", std::move(required)}};
  for (const auto& member : description.schema) schema[member.key()] = member.value();
  return schema;
}

}  // namespace slipway::contract
