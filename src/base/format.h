#pragma once

#include <fmt/format.h>

#include "base/error.h"

namespace slipway {

template <typename First, typename... Args>
Failure Fail(ErrorKind kind, fmt::format_string<First, Args...> text, First&& first, Args&&... args) {
  return Failure(Error{kind, fmt::format(text, std::forward<First>(first), std::forward<Args>(args)...)});
}

}  // namespace slipway
