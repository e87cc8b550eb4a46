#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "scoring/problem.h"

namespace slipway::scoring {

/// What one process planned and another one wants to know, or the problems.
struct PlannedVersion {
  std::string model_version;
  bool own_rows = false;  ///< the target tells whose a row is
};
using PlanAnswer = std::expected<PlannedVersion, std::vector<Problem>>;

std::string ToText(const PlanAnswer& answer);

/// The same back. kInvalid for what is none, kTooLarge's message where the process ended itself.
Result<PlanAnswer> ParsePlanned(std::string_view text);

}  // namespace slipway::scoring
