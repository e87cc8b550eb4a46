#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "base/testing/golden.h"
#include "iceberg/literal.h"
#include "iceberg/schema.h"

/// For unit tests only: types and values as the golden files of PyIceberg write them.
namespace slipway::iceberg::testing {

/// "decimal(9, 2)", "fixed[5]", "timestamptz", …
inline Type TypeOf(std::string_view text) {
  json::object field{{"id", 1}, {"name", "v"}, {"required", false}, {"type", text}};
  return ParseSchema(json::object{{"type", "struct"}, {"fields", json::array{std::move(field)}}})
      .value()
      .fields[0]
      .type;
}

/// The value behind single-value serialized bytes in hexadecimal, or null.
inline Literal LiteralOf(const json::value& hex, const Type& type) {
  if (hex.is_null()) return Literal{};
  return FromBytes(slipway::testing::FromHex(hex.as_string()), type).value();
}

/// The inverse, for readable differences: "null", or the value and its bytes.
inline std::string Shown(const Literal& literal, const Type& type) {
  if (IsNull(literal)) return "null";
  return slipway::testing::ToHex(ToBytes(literal, type));
}

}  // namespace slipway::iceberg::testing
