#include "auth/authenticator.h"

#include "base/format.h"

namespace slipway::auth {

Result<Identity> Authenticator::Identify(const Headers& headers) {
  // Every credential that is sent must be valid. Basic beside a key is for a gateway in front of this server.
  Identity who;
  if (headers.authorization && !(headers.psk && HasScheme(*headers.authorization, "basic"))) {
    auto bearer = BearerIn(*headers.authorization);
    if (bearer.empty()) return Fail(ErrorKind::kDenied, "Authorization must be 'Bearer' and a token or a key");
    ASSIGN(who, FromCredential(bearer));
  }
  return headers.psk ? FromKey(*headers.psk) : who;
}

Result<Identity> Authenticator::FromCredential(std::string_view credential) {
  return LooksLikeToken(credential) ? FromToken(credential) : FromKey(credential);
}

Result<Identity> Authenticator::FromToken(std::string_view token) {
  if (parts_.oidc == nullptr)
    return Fail(ErrorKind::kDenied, "tokens are not accepted here: no issuer (auth.issuer) is configured");
  ASSIGN(auto claims, parts_.oidc->Verify(token, parts_.clock.Now()));
  TRY(parts_.users.Remember({claims.subject, claims.username, claims.roles}, claims.issued_at));
  Identity who{Identity::Kind::kToken, claims.subject, claims.username, claims.roles, false};
  who.admin = !parts_.admin_role.empty() && who.roles.contains(parts_.admin_role);
  return who;
}

Result<Identity> Authenticator::FromKey(std::string_view key) {
  if (parts_.platform.Accepts(key)) return Identity{Identity::Kind::kPlatform, "platform", "platform", {}, true};
  if (RunTokens::LooksLikeOne(key)) {
    ASSIGN(auto grant, parts_.runs.Verify(key));
    return Identity{Identity::Kind::kRunToken, "run:" + grant.run_id, "run " + grant.run_id, {}, false, {}, grant};
  }
  ASSIGN(auto owner, parts_.users.FindOwner(key));
  if (!owner) return Fail(ErrorKind::kDenied, "the key is not valid");
  Identity who{Identity::Kind::kUserKey, owner->subject, owner->username, owner->roles, false};
  if (parts_.oidc != nullptr && parts_.oidc->HasServiceAccount()) {
    auto state = parts_.oidc->LookUp(owner->subject);
    if (!state && state.error().kind == ErrorKind::kNotFound)
      return Fail(ErrorKind::kDenied, "the key's owner is gone");
    TRY(state);
    if (!state->enabled) return Fail(ErrorKind::kDenied, "the key's owner is disabled");
    who.roles = state->roles;
  }
  return who;
}

}  // namespace slipway::auth
