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
  if (oidc_ == nullptr)
    return Fail(ErrorKind::kDenied, "tokens are not accepted here: no issuer (auth.issuer) is configured");
  ASSIGN(auto claims, oidc_->Verify(token, clock_.Now()));
  TRY(users_.Remember({claims.subject, claims.username, claims.roles}, claims.issued_at));
  Identity who{Identity::Kind::kToken, claims.subject, claims.username, claims.roles, false};
  who.admin = !admin_role_.empty() && who.roles.contains(admin_role_);
  return who;
}

Result<Identity> Authenticator::FromKey(std::string_view key) {
  if (platform_.Accepts(key)) return Identity{Identity::Kind::kPlatform, "platform", "platform", {}, true};
  ASSIGN(auto owner, users_.FindOwner(key));
  if (!owner) return Fail(ErrorKind::kDenied, "the key is not valid");
  Identity who{Identity::Kind::kUserKey, owner->subject, owner->username, owner->roles, false};
  if (oidc_ != nullptr && oidc_->HasServiceAccount()) {
    auto state = oidc_->LookUp(owner->subject);
    if (!state && state.error().kind == ErrorKind::kNotFound)
      return Fail(ErrorKind::kDenied, "the key's owner is gone");
    TRY(state);
    if (!state->enabled) return Fail(ErrorKind::kDenied, "the key's owner is disabled");
    who.roles = state->roles;
  }
  return who;
}

}  // namespace slipway::auth
