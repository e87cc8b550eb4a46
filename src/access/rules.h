#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace slipway::access {

enum class Right { kRead, kWrite };
std::string_view ToString(Right right);

/// One of `[[access.rules]]`: who has one of `roles` may do what `allow` says with every table and every model that a
/// pattern names. Rules only ever allow.
///
/// In a role or a model's name `*` stands alone for everybody who is signed in, or within a model's pattern for any
/// characters. A table's pattern is catalog.schema.table, where the schema may have several levels: `*` stands for any
/// characters of one part and never for a dot between parts; a last part `**` for one part or more, so for every table
/// of what stands before it, however deep. Names are compared as they are written, case included.
struct Rule {
  std::vector<std::string> roles, tables, models;
  std::set<Right> allow;
};
using Rules = std::vector<Rule>;

/// Rules in JSON, as the setting access.rules holds them. kInvalid names the rule, counted from 1, and what is wrong.
Result<Rules> ParseRules(std::string_view text);

/// "rule 2 (roles risk; tables lake.risk.*; allow read, write)"
std::string Describe(const Rule& rule, size_t number);

/// The catalogs that the patterns name without a star.
std::set<std::string> CatalogsIn(const Rules& rules);

/// Whether `pattern` names the model, or the table.
bool NamesModel(std::string_view pattern, std::string_view model);
bool NamesTable(std::string_view pattern, std::string_view catalog, std::string_view schema, std::string_view table);

}  // namespace slipway::access
