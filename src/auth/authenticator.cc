#include "auth/authenticator.h"

#include "auth/service_accounts.h"
#include "base/format.h"
#include "base/log.h"

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
  if (IsReserved(claims.subject))
    return Fail(ErrorKind::kDenied, "the token's subject '{}' is a name that Slipway gives itself", claims.subject);
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
  if (!owner->scope) return FromPersonsKey(*owner);
  Note(*owner, false);
  const auto& [subject, username, roles] = owner->person;
  return Identity{Identity::Kind::kServiceKey, subject, username, roles, false, owner->scope, {}};
}

Result<Identity> Authenticator::FromPersonsKey(const KeyOwner& owner) {
  Identity who{Identity::Kind::kUserKey, owner.person.subject, owner.person.username, owner.person.roles, false};
  bool seen = false;
  if (parts_.oidc != nullptr && parts_.oidc->HasServiceAccount()) {
    auto state = parts_.oidc->LookUp(who.subject);
    if (!state && state.error().kind == ErrorKind::kNotFound)
      return Fail(ErrorKind::kDenied, "the key's owner is gone");
    TRY(state);
    if (!state->enabled) return Fail(ErrorKind::kDenied, "the key's owner is disabled");
    who.roles = state->roles;
    seen = state->is_new;
  }
  if (!seen) TRY(parts_.users.CheckSeen(owner));
  Note(owner, seen);
  return who;
}

/// A note that cannot be written refuses nobody.
void Authenticator::Note(const KeyOwner& owner, bool seen) {
  if (auto noted = parts_.users.Note(owner, seen); !noted)
    Log(LogLevel::kWarning, "use_of_key_not_noted", {{"key", owner.key_id}, {"error", noted.error().message}});
}

}  // namespace slipway::auth
