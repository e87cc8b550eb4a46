#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/identity.h"
#include "auth/oidc.h"
#include "auth/platform_keys.h"
#include "auth/run_tokens.h"
#include "auth/user_keys.h"

namespace slipway::auth {

/// Turns credentials into an identity.
class Authenticator {
 public:
  /// What it asks; all must outlive it.
  struct Parts {
    PlatformKeys& platform;
    UserKeys& users;
    RunTokens& runs;
    Oidc* oidc = nullptr;  ///< null: tokens are refused
    const Clock& clock;
    std::string admin_role;
  };
  explicit Authenticator(Parts parts) : parts_(std::move(parts)) {}

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
  Result<Identity> FromPersonsKey(const KeyOwner& owner);
  void Note(const KeyOwner& owner, bool seen);
  Parts parts_;
};

}  // namespace slipway::auth
