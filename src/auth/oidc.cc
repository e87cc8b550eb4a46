#include "auth/oidc.h"

#include "base/format.h"

namespace slipway::auth {

Oidc::Oidc(OidcOptions options, Http http)
    : rules_(options.rules),
      keys_({.issuer = options.rules.issuer,
             .refresh_seconds = options.refresh_seconds,
             .renew_seconds = options.renew_seconds},
            http) {
  if (options.service_client.empty()) return;
  directory_.emplace(
      UserDirectory::Options{.issuer = options.rules.issuer,
                             .client = options.rules.client,
                             .service_client = options.service_client,
                             .service_secret = options.service_secret,
                             .refresh_seconds = options.refresh_seconds,
                             .oldest_seconds = options.oldest_days * 86400.0},
      [this] { return keys_.TokenUrl(); }, http);
}

Result<TokenClaims> Oidc::Verify(std::string_view token, Timestamp now) {
  ASSIGN(auto header, ReadTokenHeader(token));
  ASSIGN(auto keys, keys_.For(header));
  auto claims = VerifyToken(token, *keys, rules_, now);
  if (!claims && claims.error().kind == ErrorKind::kNotFound)
    return Fail(ErrorKind::kDenied, "{}", claims.error().message);
  return claims;
}

}  // namespace slipway::auth
