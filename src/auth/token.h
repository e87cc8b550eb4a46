#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "auth/roles_claim.h"
#include "base/error.h"
#include "base/time.h"

namespace slipway::auth {

/// The public keys of an issuer (RFC 7517), for signatures only: RSA and P-256. Others are left out.
class KeySet {
 public:
  /// kInvalid: no JWKS.
  static Result<KeySet> Parse(std::string_view jwks);
  bool Has(std::string_view kid, std::string_view algorithm) const;

 private:
  friend class TokenReader;
  struct Key {
    std::string kid, algorithm;
    std::shared_ptr<void> jwk;
  };
  std::vector<Key> keys_;
};

/// What is expected of a token.
struct TokenRules {
  std::string issuer, audience;
  std::string client;  ///< whose roles the admin API is asked for beside the realm's
  RolesClaim roles;    ///< where a token has its roles
  int leeway_seconds = 30;
  /// Takes tokens that do not say that they are access tokens, neither as RFC 9068 does (`at+jwt`) nor as Keycloak
  /// (`"typ": "Bearer"`): of issuers that mark none. Then the audience alone keeps ID tokens out.
  bool unmarked = false;
};

/// What a valid access token says.
struct TokenClaims {
  std::string subject, username;
  std::set<std::string> roles;
  Timestamp issued_at;
};

/// What the header of a compact JWS says, before anything of it is trusted.
struct TokenHeader {
  std::string algorithm, kid;
  bool access_token = false;  ///< its type is at+jwt (RFC 9068, section 2.1)
};

/// Reads the header. kDenied: no JWS, longer than 16 KiB, or an algorithm other than RS256 and ES256.
Result<TokenHeader> ReadTokenHeader(std::string_view token);

/// Verifies signature, issuer, audience, times and kind of a Keycloak access token (RFC 7515, RFC 7519, RFC 9068).
/// kDenied says why; kNotFound: the key set has no such key.
Result<TokenClaims> VerifyToken(std::string_view token, const KeySet& keys, const TokenRules& rules, Timestamp now);

/// Whether a credential has the form of a token (three parts) rather than of a key.
bool LooksLikeToken(std::string_view credential);

}  // namespace slipway::auth
