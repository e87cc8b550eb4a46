#include "contract/unknown_fields.h"

#include <algorithm>
#include <numeric>

namespace slipway::contract {
namespace {

constexpr size_t kLongestCompared = 64, kMostDifferences = 3;

/// Levenshtein's distance: characters to add, drop or change.
size_t Differences(std::string_view one, std::string_view other) {
  std::vector<size_t> row(other.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < one.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < other.size(); ++j) {
      size_t changed = diagonal + (one[i] == other[j] ? 0 : 1);
      diagonal = std::exchange(row[j + 1], std::min({changed, row[j] + 1, row[j + 1] + 1}));
    }
  }
  return row.back();
}

struct Candidate {
  std::string path;
  size_t differences;
};

void FindNearest(const ObjectDescription& description, std::string_view name, const std::string& above,
                 Candidate& nearest) {
  for (const auto& field : description.fields) {
    auto differences = Differences(name, field.name);
    if (differences < nearest.differences) nearest = {above + field.name, differences};
  }
  for (const auto& field : description.fields)
    if (field.type.object != nullptr) FindNearest(*field.type.object, name, above + field.name + ".", nearest);
}

}  // namespace

std::vector<std::string> UnknownMembers(const ObjectDescription& description, const json::object& object, size_t most) {
  std::vector<std::string> unknown;
  auto known = [&](std::string_view name) {
    return std::ranges::any_of(description.fields, [&](const auto& field) { return field.name == name; }) ||
           std::ranges::any_of(description.refused, [&](const auto& refused) { return refused.first == name; });
  };
  for (const auto& member : object)
    if (unknown.size() < most && !known(member.key())) unknown.emplace_back(member.key());
  return unknown;
}

std::string Meant(const ObjectDescription& description, std::string_view name) {
  if (name.size() > kLongestCompared) return "";
  // Of a short name, few letters are another word.
  Candidate nearest{"", std::min(kMostDifferences, name.size() / 3) + 1};
  FindNearest(description, name, "", nearest);
  return nearest.path;
}

}  // namespace slipway::contract
