#pragma once

#include <optional>
#include <string>

#include "auth/issuer_keys.h"
#include "auth/token.h"
#include "auth/user_directory.h"
#include "base/error.h"
#include "base/time.h"

namespace slipway::auth {

/// How to reach and to trust an issuer.
struct OidcOptions {
  TokenRules rules;
  std::string service_client,
      service_secret;        ///< a service account that may view users (Keycloak); empty: roles come from tokens alone
  int refresh_seconds = 60;  ///< at most one look for an unknown key, and roles are this old at most
  int renew_seconds = 600;   ///< keys that the issuer has withdrawn go after this long
  int oldest_days = 30;      ///< what the admin API said before it went away counts no longer; 0: for ever
};

/// An OpenID Connect issuer: whether a token is its own (issuer_keys.h), and what it says of users (user_directory.h).
/// What it has told goes on counting while it is away. Thread-safe.
class Oidc {
 public:
  explicit Oidc(OidcOptions options, Http http = SendHttp);

  /// kDenied: the token is not valid; kUnavailable: its key is not known, and the issuer cannot be asked.
  Result<TokenClaims> Verify(std::string_view token, Timestamp now);

  /// Whether roles can be looked up.
  bool HasServiceAccount() const { return directory_.has_value(); }
  /// What the admin API says of a user, at most `refresh_seconds` old, or said last (UserDirectory::LookUp).
  Result<UserState> LookUp(const std::string& subject) { return directory_->LookUp(subject); }

  /// Whether the issuer's keys are known; else why not. Never waits.
  Result<> Ready() { return keys_.Ready(); }
  /// Waits some seconds for the issuer's first answer, so that a server which has just started knows its keys.
  void AwaitFirst() { keys_.AwaitFirst(); }

 private:
  TokenRules rules_;
  IssuerKeys keys_;
  std::optional<UserDirectory> directory_;
};

}  // namespace slipway::auth
