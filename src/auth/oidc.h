#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "auth/token.h"
#include "base/error.h"
#include "base/time.h"

namespace slipway::auth {

/// How to reach and to trust a Keycloak realm.
struct OidcOptions {
  TokenRules rules;
  std::string service_client,
      service_secret;        ///< a service account that may view users; empty: roles come from tokens alone
  int refresh_seconds = 60;  ///< at most one look for an unknown key, and roles are this old at most
};

/// What the admin API says of a user.
struct UserState {
  bool enabled = false;
  std::set<std::string> roles;
};

/// An OpenID Connect issuer (discovery, RFC 8414; keys, RFC 7517), and Keycloak's admin API. Keeps what it has learned,
/// so that known keys go on working while the issuer is down. Thread-safe.
class Oidc {
 public:
  explicit Oidc(OidcOptions options);
  ~Oidc();

  /// kDenied: the token is not valid; kUnavailable: its key is not known, and the issuer cannot be asked.
  Result<TokenClaims> Verify(std::string_view token, Timestamp now);

  /// Whether roles can be looked up.
  bool HasServiceAccount() const;

  /// A user's effective roles now, at most `refresh_seconds` old; while the issuer is down, what it said last.
  /// kNotFound: no such user any more; kUnavailable: it never said anything of this user.
  Result<UserState> LookUp(const std::string& subject);

  /// Whether the issuer's keys are known; else why not.
  Result<> Ready();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::auth
