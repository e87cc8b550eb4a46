#include "access/decide.h"

#include <algorithm>

#include "base/format.h"

namespace slipway::access {
namespace {

constexpr std::string_view kEverything = "the admin role and the platform PSK may touch everything";

bool Has(const Rule& rule, const Holder& who) {
  return std::ranges::any_of(rule.roles, [&](const auto& role) { return role == "*" || who.roles.contains(role); });
}

bool Names(const Rule& rule, const Use& use) {
  if (use.kind == Use::Kind::kModel)
    return std::ranges::any_of(rule.models, [&](const auto& pattern) { return NamesModel(pattern, use.name); });
  return std::ranges::any_of(
      rule.tables, [&](const auto& pattern) { return NamesTable(pattern, use.catalog, use.schema, use.name); });
}

}  // namespace

std::string NameOf(const Use& use) {
  if (use.kind == Use::Kind::kModel) return fmt::format("the model {}", use.name);
  return fmt::format("the table {}.{}.{}", use.catalog, use.schema, use.name);
}

Decision Decide(const Rules& rules, const Holder& who, const Use& use) {
  if (who.everything) return {true, std::string(kEverything)};
  for (size_t i = 0; i < rules.size(); ++i)
    if (rules[i].allow.contains(use.right) && Has(rules[i], who) && Names(rules[i], use))
      return {true, Describe(rules[i], i + 1)};
  auto roles = who.roles.empty() ? std::string("somebody without roles")
                                 : fmt::format("one of the roles {}", fmt::join(who.roles, ", "));
  return {false, fmt::format("no rule allows '{}' on {} to {}", ToString(use.right), NameOf(use), roles)};
}

std::vector<Grant> GrantsOf(const Rules& rules, const Holder& who) {
  if (who.everything)
    return {{"everything", Right::kRead, std::string(kEverything)},
            {"everything", Right::kWrite, std::string(kEverything)}};
  std::vector<Grant> grants;
  for (size_t i = 0; i < rules.size(); ++i) {
    if (!Has(rules[i], who)) continue;
    auto because = Describe(rules[i], i + 1);
    for (const auto& pattern : rules[i].models)
      if (rules[i].allow.contains(Right::kRead)) grants.push_back({"the models " + pattern, Right::kRead, because});
    for (const auto& pattern : rules[i].tables)
      for (auto right : rules[i].allow) grants.push_back({"the tables " + pattern, right, because});
  }
  return grants;
}

std::optional<std::string> Missing(const Rules& rules, const Holder& who, const std::vector<Use>& uses) {
  std::string missing;
  for (const auto& use : uses)
    if (auto decision = Decide(rules, who, use); !decision.allowed)
      missing += (missing.empty() ? "" : ", and ") + fmt::format("'{}' on {}", ToString(use.right), NameOf(use));
  return missing.empty() ? std::nullopt : std::optional(missing);
}

}  // namespace slipway::access
