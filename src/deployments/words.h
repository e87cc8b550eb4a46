#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/format.h"

namespace slipway::deployments {

/// The words of an enumeration, in its order: as the store and the API have them. `Words<RunStatus>::kAll`.
template <typename E>
struct Words;

template <typename E>
constexpr std::string_view WordOf(E value) {
  return Words<E>::kAll.at(static_cast<size_t>(value));
}

/// kInvalid: it is none of them.
template <typename E>
Result<E> ParseWord(std::string_view text) {
  for (size_t i = 0; i < Words<E>::kAll.size(); ++i)
    if (Words<E>::kAll.at(i) == text) return static_cast<E>(i);
  return Fail(ErrorKind::kInvalid, "there is no {} '{}'", Words<E>::kName, text);
}

template <typename E>
std::vector<std::string> AllWords() {
  return {Words<E>::kAll.begin(), Words<E>::kAll.end()};
}

}  // namespace slipway::deployments
