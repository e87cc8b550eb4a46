#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/identity.h"
#include "auth/oidc.h"
#include "auth/platform_keys.h"
#include "auth/user_keys.h"

namespace slipway::auth {

/// Turns credentials into an identity.
class Authenticator {
 public:
  /// `oidc` may be null: then tokens are refused. All must outlive this.
  Authenticator(PlatformKeys& platform, UserKeys& users, Oidc* oidc, std::string admin_role, const Clock& clock)
      : platform_(platform), users_(users), oidc_(oidc), admin_role_(std::move(admin_role)), clock_(clock) {}

  /// The headers Authorization and Authorization-PSK, as far as they were sent.
  struct Headers {
    std::optional<std::string_view> authorization, psk;
  };
  /// Who asks; the key says so where both are sent and valid. No credentials: nobody. kDenied: not valid, and why;
  /// kUnavailable: it cannot be told now.
  Result<Identity> Identify(const Headers& headers);

 private:
  Result<Identity> FromCredential(std::string_view credential);
  Result<Identity> FromToken(std::string_view token);
  Result<Identity> FromKey(std::string_view key);
  PlatformKeys& platform_;
  UserKeys& users_;
  Oidc* oidc_;
  std::string admin_role_;
  const Clock& clock_;
};

}  // namespace slipway::auth
