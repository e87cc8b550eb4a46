#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "access/rules.h"

namespace slipway::access {

/// Whose rights are asked for.
struct Holder {
  std::set<std::string> roles;
  bool everything = false;  ///< the platform PSK, and the admin role
};

/// One thing that a deployment does: reads its source, writes its target, uses its model. A model has a name alone.
struct Use {
  enum class Kind { kTable, kModel };
  Kind kind = Kind::kTable;
  Right right = Right::kRead;
  std::string catalog, schema, name;

  static Use Reads(std::string catalog, std::string schema, std::string table) {
    return {Kind::kTable, Right::kRead, std::move(catalog), std::move(schema), std::move(table)};
  }
  static Use Writes(std::string catalog, std::string schema, std::string table) {
    return {Kind::kTable, Right::kWrite, std::move(catalog), std::move(schema), std::move(table)};
  }
  static Use OfModel(std::string name) { return {Kind::kModel, Right::kRead, {}, {}, std::move(name)}; }
};

/// "the table lake.risk.scores", "the model churn"
std::string NameOf(const Use& use);

/// Whether a use is allowed, and the rule that says so; or what is missing.
struct Decision {
  bool allowed = false;
  std::string because;
};

/// The one decision: the first rule that allows it, in the order of the configuration. It asks neither whether the
/// table exists nor anything else of it.
Decision Decide(const Rules& rules, const Holder& who, const Use& use);

/// A pattern of a rule that is there for somebody.
struct Grant {
  std::string what;  ///< "the tables lake.risk.*"
  Right right = Right::kRead;
  std::string because;
};

/// All that the rules allow somebody, in their order.
std::vector<Grant> GrantsOf(const Rules& rules, const Holder& who);

/// What of `uses` is not allowed, in words; nothing where all is.
std::optional<std::string> Missing(const Rules& rules, const Holder& who, const std::vector<Use>& uses);

}  // namespace slipway::access
