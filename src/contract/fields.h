#pragma once

#include <string>

#include "contract/description.h"

/// Short ways to describe fields; for the descriptions of this folder.
namespace slipway::contract {

using Kind = TypeDescription::Kind;

inline FieldDescription Text(std::string name, std::string text) { return {std::move(name), {}, std::nullopt, std::move(text)}; }

inline FieldDescription Defaulted(std::string name, TypeDescription type, json::value fallback, std::string text) {
  return {std::move(name), std::move(type), std::move(fallback), std::move(text)};
}

inline FieldDescription Nullable(std::string name, Kind kind, std::string text) {
  return {std::move(name), {.kind = kind, .nullable = true}, json::value(nullptr), std::move(text)};
}

inline FieldDescription Optional(std::string name, TypeDescription type, std::string text) {
  return {std::move(name), std::move(type), std::nullopt, std::move(text), true};
}

}  // namespace slipway::contract
