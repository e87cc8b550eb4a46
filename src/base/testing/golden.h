#pragma once

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <cctype>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "base/json.h"

#ifndef SLIPWAY_GOLDEN
#define SLIPWAY_GOLDEN "tests/golden"
#endif

/// For unit tests only: golden files, which other implementations wrote (tests/golden/README.md), as parameters of
/// tests, so that each case is counted and named.
namespace slipway::testing {

inline std::string GoldenPath(std::string_view name) { return SLIPWAY_GOLDEN "/" + std::string(name); }

/// The bytes of a golden file; ends the test program when there is none.
inline std::string GoldenBytes(std::string_view name) {
  auto bytes = ReadFile(GoldenPath(name));
  if (!bytes) {
    std::cerr << bytes.error().message << ": ./tools/golden writes the golden files\n";
    std::abort();
  }
  return *bytes;
}

inline json::value GoldenJson(std::string_view name) {
  auto value = ParseJson(GoldenBytes(name));
  if (!value) {
    std::cerr << GoldenPath(name) << ": " << value.error().message << '\n';
    std::abort();
  }
  return *value;
}

/// The bytes behind hexadecimal text.
inline std::string FromHex(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    bytes += static_cast<char>(std::strtol(std::string(text.substr(i, 2)).c_str(), nullptr, 16));
  return bytes;
}

inline std::string ToHex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (unsigned char c : bytes) {
    text += kDigits[c >> 4];
    text += kDigits[c & 15];
  }
  return text;
}

/// One case of a golden file: an object.
struct GoldenCase {
  size_t number = 0;
  json::object values;

  const json::value& at(std::string_view key) const { return values.at(key); }
  const json::value* find(std::string_view key) const { return values.if_contains(key); }
  std::string text(std::string_view key) const { return std::string(values.at(key).as_string()); }

  /// How a failure shows the case.
  friend void PrintTo(const GoldenCase& one, std::ostream* out) { *out << json::serialize(one.values).substr(0, 2000); }
};

/// The objects of a golden file that is an array, or of the array at `key` of one that is an object.
inline std::vector<GoldenCase> GoldenCases(std::string_view name, std::string_view key = {}) {
  auto file = GoldenJson(name);
  std::vector<GoldenCase> cases;
  for (const auto& item : (key.empty() ? file : file.at(key)).as_array())
    cases.push_back({cases.size(), item.as_object()});
  return cases;
}

/// Names a case by its number and its first text: "017_a_IN_1_2".
inline std::string CaseName(const ::testing::TestParamInfo<GoldenCase>& info) {
  auto name = std::to_string(1000 + info.param.number).substr(1);
  for (const auto& member : info.param.values) {
    if (!member.value().is_string()) continue;
    name += '_';
    for (unsigned char c : std::string_view(member.value().get_string()).substr(0, 60)) {
      if (std::isalnum(c) != 0)
        name += static_cast<char>(c);
      else if (name.back() != '_')
        name += '_';
    }
    break;
  }
  return name;
}

}  // namespace slipway::testing
