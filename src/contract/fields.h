#pragma once

#include <string>

#include "contract/description.h"

/// Short ways to describe fields; for the descriptions of this folder.
namespace slipway::contract {

using Kind = TypeDescription::Kind;

inline FieldDescription Text(std::string name, std::string text) {
  return {std::move(name), {}, std::nullopt, std::move(text)};
}

inline FieldDescription Defaulted(std::string name, TypeDescription type, json::value fallback, std::string text) {
  return {std::move(name), std::move(type), std::move(fallback), std::move(text)};
}

inline FieldDescription Nullable(std::string name, Kind kind, std::string text) {
  return {std::move(name), {.kind = kind, .nullable = true}, json::value(nullptr), std::move(text)};
}

inline FieldDescription Optional(std::string name, TypeDescription type, std::string text) {
  return {std::move(name), std::move(type), std::nullopt, std::move(text), true};
}

/// JSON Schema: exactly one of two members is a text, and the other null or absent.
inline json::array OneOfBoth(const char* one, const char* other) {
  auto with = [](const char* given, const char* absent) {
    return json::object{{"type", "object"},
                        {"properties", json::object{{given, json::object{{"type", "string"}}},
                                                    {absent, json::object{{"type", "null"}}}}},
                        {"required", json::array{given}}};
  };
  return {with(one, other), with(other, one)};
}

}  // namespace slipway::contract
