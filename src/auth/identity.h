#pragma once

#include <set>
#include <string>

namespace slipway::auth {

/// Who is asking.
struct Identity {
  enum class Kind { kNobody, kUserKey, kToken, kPlatform };
  Kind kind = Kind::kNobody;
  std::string subject;   ///< Keycloak's `sub`; "platform" for the platform PSK
  std::string username;  ///< for people
  std::set<std::string> roles;
  bool admin = false;  ///< has the configured admin role
};

inline const char* ToString(Identity::Kind kind) {
  switch (kind) {
    case Identity::Kind::kNobody: return "nobody";
    case Identity::Kind::kUserKey: return "user_psk";
    case Identity::Kind::kToken: return "token";
    case Identity::Kind::kPlatform: return "platform_psk";
  }
  return "";
}

}  // namespace slipway::auth
