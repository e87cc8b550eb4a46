#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace slipway::http {

/// The target of a request (RFC 9112, origin form), decoded.
struct Target {
  std::vector<std::string> path;             ///< its segments
  std::map<std::string, std::string> query;  ///< the last of repeated parameters counts, as in the reference
  bool is_text = true;                       ///< UTF-8, without U+0000, with which texts end for C and for PostgreSQL
};

/// Nothing for a target that is not a valid path and query.
std::optional<Target> ParseTarget(std::string_view text);

/// The path's parts under the names that a route's pattern gives them ("/api/models/{model}"), or nothing where it does
/// not fit.
/// `{path}` at the end takes all that is left.
std::optional<std::map<std::string, std::string>> Fit(const std::string& pattern, const std::vector<std::string>& path);

}  // namespace slipway::http
