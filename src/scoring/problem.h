#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace slipway::scoring {

/// Something that keeps a deployment from running, and the field of the contract's body that says so.
struct Problem {
  ErrorKind kind = ErrorKind::kInvalid;  ///< kNotFound for an unknown model, version, alias, table or snapshot
  std::vector<std::string> loc;          ///< {"source", "filter_sql"}
  std::string message;
};

}  // namespace slipway::scoring
