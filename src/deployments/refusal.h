#pragma once

#include <expected>
#include <utility>
#include <vector>

#include "base/error.h"
#include "scoring/problem.h"

namespace slipway::deployments {

/// Why a request is refused: problems at fields of its body or, where there are none, one error.
struct Refusal {
  Error error;
  std::vector<scoring::Problem> problems;
};

template <typename T>
using Outcome = std::expected<T, Refusal>;

inline std::unexpected<Refusal> Refused(Error error) { return std::unexpected(Refusal{std::move(error), {}}); }

inline std::unexpected<Refusal> Refused(std::vector<scoring::Problem> problems) {
  return std::unexpected(Refusal{{ErrorKind::kInvalid, "the request is not valid"}, std::move(problems)});
}

template <typename T>
Outcome<T> ToOutcome(Result<T> result) {
  if (!result) return Refused(std::move(result.error()));
  return std::move(*result);
}

}  // namespace slipway::deployments
