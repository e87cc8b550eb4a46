#pragma once

#include <boost/json/object.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"

namespace slipway::auth {

/// Where in a token the roles stand, as issuers differ: Keycloak's realm_access.roles, Entra's roles, the groups of
/// Okta and Dex. A claim holds one role as a text, or a list of them; anything else gives none.
class RolesClaim {
 public:
  /// Of Keycloak: the realm's roles, and those of the client.
  static constexpr auto kKeycloak = "realm_access.roles resource_access.{client}.roles";

  /// Paths with spaces between, all of which count: dotted, or JSON Pointers (RFC 6901) for names with dots, such as
  /// /https:~1~1company.example~1roles. A part `{client}` stands for `client`. kInvalid: a path that is none.
  static Result<RolesClaim> Parse(const std::string& paths, const std::string& client);

  std::set<std::string> RolesIn(const boost::json::object& claims) const;

 private:
  std::vector<std::vector<std::string>> paths_;
};

}  // namespace slipway::auth
