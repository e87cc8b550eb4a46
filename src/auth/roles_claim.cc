#include "auth/roles_claim.h"

#include <sstream>

#include "base/format.h"
#include "base/json.h"

namespace slipway::auth {
namespace {

/// A part of a JSON Pointer: ~1 is a slash, ~0 a tilde.
Result<std::string> Unescape(std::string_view part) {
  std::string text;
  for (size_t i = 0; i < part.size(); ++i) {
    if (part[i] != '~') {
      text += part[i];
    } else if (++i < part.size() && (part[i] == '0' || part[i] == '1')) {
      text += part[i] == '0' ? '~' : '/';
    } else {
      return Fail(ErrorKind::kInvalid, "a ~ is neither ~0 nor ~1");
    }
  }
  return text;
}

Result<std::vector<std::string>> ParsePath(std::string_view text, const std::string& client) {
  bool pointer = text.starts_with('/');
  if (pointer) text.remove_prefix(1);
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size();) {
    auto end = std::min(text.find(pointer ? '/' : '.', at), text.size());
    auto part = text.substr(at, end - at);
    at = end + 1;
    if (part.empty()) return Fail(ErrorKind::kInvalid, "a part is empty");
    if (part == "{client}") {
      parts.push_back(client);
    } else if (pointer) {
      ASSIGN(auto name, Unescape(part));
      parts.push_back(std::move(name));
    } else {
      parts.emplace_back(part);
    }
  }
  return parts;
}

const json::value* Find(const json::object& claims, const std::vector<std::string>& path) {
  const json::object* object = &claims;
  const json::value* found = nullptr;
  for (const auto& part : path) {
    found = object != nullptr ? object->if_contains(part) : nullptr;
    if (found == nullptr) return nullptr;
    object = found->if_object();
  }
  return found;
}

}  // namespace

Result<RolesClaim> RolesClaim::Parse(const std::string& paths, const std::string& client) {
  RolesClaim claim;
  std::istringstream words(paths);
  for (std::string word; words >> word;) {
    ASSIGN(auto path, Wrap(ParsePath(word, client), fmt::format("auth.roles_claim: '{}'", word)));
    claim.paths_.push_back(std::move(path));
  }
  if (claim.paths_.empty())
    return Fail(ErrorKind::kInvalid, "auth.roles_claim is empty: name the claim that holds the roles, such as groups");
  return claim;
}

std::set<std::string> RolesClaim::RolesIn(const json::object& claims) const {
  std::set<std::string> roles;
  for (const auto& path : paths_) {
    const auto* found = Find(claims, path);
    if (found == nullptr) continue;
    if (found->is_string()) roles.emplace(found->get_string());
    if (found->is_array())
      for (const auto& role : found->get_array())
        if (role.is_string()) roles.emplace(role.get_string());
  }
  roles.erase("");
  return roles;
}

}  // namespace slipway::auth
