#pragma once

#include <iterator>
#include <vector>

#include "database/database.h"

namespace slipway {

/// Brings a database to the newest schema, in the caller's transaction. Each step is applied once, in the order of the
/// numbers; the table `schema_version` holds the last one. kUnsupported: a newer Slipway wrote the database; kInternal:
/// two steps have one number.
Result<> Migrate(sql::Session& session, const Dialect& dialect, std::vector<Migration> steps);

/// The steps of several folders together.
template <typename... Steps>
std::vector<Migration> AllOf(const Steps&... steps) {
  std::vector<Migration> all;
  (all.insert(all.end(), std::begin(steps), std::end(steps)), ...);
  return all;
}

}  // namespace slipway
