#include "http/target.h"

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include "base/names.h"

namespace slipway::http {

std::optional<Target> ParseTarget(std::string_view text) {
  auto parsed = boost::urls::parse_origin_form(text);
  if (!parsed) return std::nullopt;
  Target target;
  for (auto segment : parsed->segments()) target.path.push_back(segment);
  for (auto parameter : parsed->params()) target.query[parameter.key] = parameter.value;
  auto is_text = [](const std::string& part) { return part.find('\0') == std::string::npos && IsUtf8(part); };
  target.is_text = std::ranges::all_of(target.path, is_text) &&
                   std::ranges::all_of(
                       target.query, [&](const auto& given) { return is_text(given.first) && is_text(given.second); });
  return target;
}

std::optional<std::map<std::string, std::string>> Fit(const std::string& pattern,
                                                      const std::vector<std::string>& path) {
  std::map<std::string, std::string> named;
  size_t at = 1, i = 0;
  for (; at <= pattern.size() && i < path.size(); ++i) {
    auto end = std::min(pattern.find('/', at), pattern.size());
    auto part = pattern.substr(at, end - at);
    if (part == "{path}") return named;
    if (part.starts_with('{')) {
      if (path[i].empty()) return std::nullopt;
      named[part.substr(1, part.size() - 2)] = path[i];
    } else if (part != path[i]) {
      return std::nullopt;
    }
    at = end + 1;
  }
  if (at <= pattern.size() || i < path.size()) return std::nullopt;
  return named;
}

}  // namespace slipway::http
