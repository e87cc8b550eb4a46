#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace slipway::deployments {

/// What the process of a run, and its model, wrote to standard error: of all attempts, the end of it.
struct RunLog {
  static constexpr size_t kMost = 65'536;  ///< bytes that are kept

  std::string text;
  int64_t end = 0;  ///< the bytes that were written in all; the text stands before this one

  int64_t start() const { return end - static_cast<int64_t>(text.size()); }
  /// The text from byte `after` on, as far as it is kept.
  std::string_view From(int64_t after) const;
};

/// `tail`, up to byte `end` of the log, as it may be stored and shown: what is not UTF-8, or would drive a terminal, is
/// replaced, byte for byte.
RunLog MakeRunLog(std::string_view tail, int64_t end);

}  // namespace slipway::deployments
