#pragma once

#include <exception>
#include <type_traits>

#include "base/format.h"

namespace slipway::dispatch {

/// What `work` gives. What it throws becomes an error like any other, of the one record that it was about: an exception
/// that left a dispatcher's thread would end the server, and all other runs with it.
template <typename Work>
std::invoke_result_t<Work> Contained(Work&& work) {
  try {
    return std::forward<Work>(work)();
  } catch (const std::exception& error) {
    return Fail(ErrorKind::kInternal, "a defect in Slipway, please report it: {}", error.what());
  }
}

}  // namespace slipway::dispatch
