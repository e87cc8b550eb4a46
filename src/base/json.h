#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace slipway {

namespace json = boost::json;

inline constexpr size_t kAnyMemory = SIZE_MAX;

/// Parses one JSON document. kInvalid with the byte position; depth is limited to `max_depth`. kTooLarge: its values
/// would take more than `most_memory` bytes, as those of a document that was made to (`[[],[],[],…`).
Result<json::value> ParseJson(std::string_view text, size_t max_depth = 64, size_t most_memory = kAnyMemory);

/// Reads members of an object with errors that name the path: `JsonObject metadata(value, "table metadata")`.
class JsonObject {
 public:
  /// kInvalid when `value` is no object. `value` must outlive this; `where` starts every message.
  static Result<JsonObject> From(const json::value& value, std::string where);
  static JsonObject Of(const json::object& object, std::string where) { return {object, std::move(where)}; }

  /// The member, or null when it is absent or JSON null.
  const json::value* Find(std::string_view key) const;

  Result<std::string> String(std::string_view key) const;
  Result<int64_t> Int(std::string_view key) const;
  Result<int32_t> Int32(std::string_view key) const;
  Result<bool> Bool(std::string_view key) const;
  Result<const json::array*> Array(std::string_view key) const;
  Result<JsonObject> Object(std::string_view key) const;

  /// As above, or `fallback` where the member is absent or null.
  Result<std::string> String(std::string_view key, std::string fallback) const;
  Result<int64_t> Int(std::string_view key, int64_t fallback) const;
  Result<bool> Bool(std::string_view key, bool fallback) const;

  /// Nothing where the member is absent or null.
  Result<std::optional<std::string>> OptionalString(std::string_view key) const;
  Result<std::optional<int64_t>> OptionalInt(std::string_view key) const;

  const json::object& object() const { return *object_; }
  const std::string& where() const { return where_; }

 private:
  JsonObject(const json::object& object, std::string where) : object_(&object), where_(std::move(where)) {}
  Failure Wrong(std::string_view key, std::string_view want) const;
  const json::object* object_;
  std::string where_;
};

/// The strings of an array; kInvalid when an item is none.
Result<std::vector<std::string>> JsonStrings(const json::array& array, std::string_view where);

}  // namespace slipway
