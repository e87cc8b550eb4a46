#include "access/rules.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "base/json.h"
#include "base/names.h"

namespace slipway::access {
namespace {

constexpr size_t kMostRules = 10'000, kMostPatterns = 1'000, kLongestPattern = 1'000;
constexpr std::string_view kDeep = "**";

std::vector<std::string_view> PartsOf(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at <= text.size();) {
    auto dot = std::min(text.find('.', at), text.size());
    parts.push_back(text.substr(at, dot - at));
    at = dot + 1;
  }
  return parts;
}

/// `*` is any characters. What a star has taken too little of is tried again from the last star only: every earlier one
/// has the least that it can, so that the time is at most pattern times text.
bool Fits(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, taken = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  return std::ranges::all_of(pattern.substr(p), [](char c) { return c == '*'; });
}

Result<> CheckTablePattern(std::string_view pattern) {
  auto parts = PartsOf(pattern);
  bool deep = parts.back() == kDeep;
  if (parts.size() < (deep ? 2 : 3))
    return Fail(ErrorKind::kInvalid, "'{}' is not catalog.schema.table; all tables of a catalog are catalog.**",
                pattern);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].empty()) return Fail(ErrorKind::kInvalid, "a part of '{}' is empty", pattern);
    if (parts[i].find(kDeep) != std::string_view::npos && !(deep && i + 1 == parts.size()))
      return Fail(ErrorKind::kInvalid, "in '{}', ** may only be the last part", pattern);
    TRY(Wrap(CheckName("part of a table's name", parts[i]), fmt::format("'{}'", pattern)));
  }
  return {};
}

Result<std::vector<std::string>> ReadTexts(const JsonObject& rule, const char* name) {
  if (rule.Find(name) == nullptr) return std::vector<std::string>();
  ASSIGN(const auto* array, rule.Array(name));
  auto where = fmt::format("{}.{}", rule.where(), name);
  ASSIGN(auto texts, JsonStrings(*array, where));
  if (texts.size() > kMostPatterns)
    return Fail(ErrorKind::kInvalid, "{} has more than {} entries: make it several rules", where, kMostPatterns);
  for (const auto& text : texts)
    if (text.empty() || text.size() > kLongestPattern)
      return Fail(ErrorKind::kInvalid, "{} has an entry that is empty, or longer than {} bytes", where,
                  kLongestPattern);
  return texts;
}

Result<std::set<Right>> ReadAllow(const JsonObject& rule) {
  ASSIGN(auto words, ReadTexts(rule, "allow"));
  std::set<Right> allow;
  for (const auto& word : words) {
    if (word != "read" && word != "write")
      return Fail(ErrorKind::kInvalid, "{}.allow: there is no right '{}', only read and write", rule.where(), word);
    allow.insert(word == "read" ? Right::kRead : Right::kWrite);
  }
  return allow;
}

Result<Rule> ReadRule(const json::value& item, const std::string& where) {
  ASSIGN(auto object, JsonObject::From(item, where));
  constexpr std::array<std::string_view, 4> kKeys = {"roles", "tables", "models", "allow"};
  for (const auto& [key, value] : object.object())
    if (std::ranges::find(kKeys, std::string_view(key)) == kKeys.end())
      return Fail(ErrorKind::kInvalid, "{} has no '{}': a rule has roles, tables, models and allow", where,
                  std::string_view(key));
  Rule rule;
  ASSIGN(rule.roles, ReadTexts(object, "roles"));
  ASSIGN(rule.tables, ReadTexts(object, "tables"));
  ASSIGN(rule.models, ReadTexts(object, "models"));
  ASSIGN(rule.allow, ReadAllow(object));
  if (rule.roles.empty()) return Fail(ErrorKind::kInvalid, "{}.roles names nobody: [\"*\"] is everybody", where);
  if (rule.tables.empty() && rule.models.empty())
    return Fail(ErrorKind::kInvalid, "{} names neither tables nor models", where);
  if (rule.allow.empty()) return Fail(ErrorKind::kInvalid, "{}.allow is missing: read, write, or both", where);
  if (!rule.models.empty() && !rule.allow.contains(Right::kRead))
    return Fail(ErrorKind::kInvalid, "{} allows nothing of its models: using one is the right read", where);
  for (const auto& role : rule.roles)
    if (role != "*" && role.find('*') != std::string::npos)
      return Fail(ErrorKind::kInvalid, "{}.roles: '{}' is no role; * stands alone, for everybody", where, role);
  for (const auto& pattern : rule.tables) TRY(Wrap(CheckTablePattern(pattern), where + ".tables"));
  for (const auto& pattern : rule.models) TRY(Wrap(CheckName("model", pattern), where + ".models"));
  return rule;
}

std::string Joined(const std::vector<std::string>& texts) { return fmt::format("{}", fmt::join(texts, ", ")); }

}  // namespace

std::string_view ToString(Right right) { return right == Right::kRead ? "read" : "write"; }

Result<Rules> ParseRules(std::string_view text) {
  ASSIGN(auto value, Wrap(ParseJson(text), "access.rules"));
  if (!value.is_array()) return Fail(ErrorKind::kInvalid, "access.rules is a list of rules: [[access.rules]]");
  if (value.get_array().size() > kMostRules)
    return Fail(ErrorKind::kInvalid, "access.rules has more than {} rules", kMostRules);
  Rules rules;
  for (const auto& item : value.get_array()) {
    ASSIGN(auto rule, ReadRule(item, fmt::format("access.rules, rule {}", rules.size() + 1)));
    rules.push_back(std::move(rule));
  }
  return rules;
}

std::string Describe(const Rule& rule, size_t number) {
  auto text = fmt::format("rule {} (roles {}", number, Joined(rule.roles));
  if (!rule.tables.empty()) text += "; tables " + Joined(rule.tables);
  if (!rule.models.empty()) text += "; models " + Joined(rule.models);
  text += "; allow ";
  for (auto right : rule.allow) text += fmt::format("{}{}", right == *rule.allow.begin() ? "" : ", ", ToString(right));
  return text + ")";
}

std::set<std::string> CatalogsIn(const Rules& rules) {
  std::set<std::string> catalogs;
  for (const auto& rule : rules)
    for (const auto& pattern : rule.tables)
      if (auto catalog = pattern.substr(0, pattern.find('.')); catalog.find('*') == std::string::npos)
        catalogs.insert(catalog);
  return catalogs;
}

bool NamesModel(std::string_view pattern, std::string_view model) { return Fits(pattern, model); }

bool NamesTable(std::string_view pattern, std::string_view catalog, std::string_view schema, std::string_view table) {
  std::vector<std::string_view> parts{catalog};
  for (auto level : PartsOf(schema)) parts.push_back(level);
  parts.push_back(table);  // one part, also where its name has dots
  auto wanted = PartsOf(pattern);
  bool deep = wanted.back() == kDeep;
  if (deep) wanted.pop_back();
  if (deep ? parts.size() <= wanted.size() : parts.size() != wanted.size()) return false;
  for (size_t i = 0; i < wanted.size(); ++i)
    if (!Fits(wanted[i], parts[i])) return false;
  return true;
}

}  // namespace slipway::access
