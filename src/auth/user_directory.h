#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "auth/issuer_keys.h"
#include "base/error.h"
#include "base/oauth_token.h"

namespace slipway::auth {

/// What Keycloak's admin API says of a user.
struct UserState {
  bool enabled = false;
  std::set<std::string> roles;
  bool is_new = true;  ///< as of now, and not from before the admin API went away
};

/// Keycloak's admin API, asked by a service account that may view users. Keeps what it has said. No lock is held while
/// it is asked, and few callers ask at once: while it hangs, the others get what it said last, or that there is no
/// answer. Thread-safe.
class UserDirectory {
 public:
  struct Options {
    std::string issuer;
    std::string client;  ///< whose roles count beside the realm's; empty: the realm's alone
    std::string service_client, service_secret;
    int refresh_seconds = 60;            ///< what it said is not asked for again before
    double oldest_seconds = 30 * 86400;  ///< what it said before it went away counts no longer; 0: for ever
    double deadline_seconds = 5;         ///< of all that one look-up asks
    int at_once = 2;
  };
  /// `token_url`: where the service account signs in, once it is known.
  UserDirectory(Options options, std::function<std::string()> token_url, Http http);

  /// A user's effective roles. kNotFound: no such user any more; kUnavailable: it said nothing of this user, or too
  /// long ago. `now` is MonotonicSeconds(), but for tests.
  Result<UserState> LookUp(const std::string& subject, double now = MonotonicSeconds());

 private:
  struct Said {
    Result<UserState> state;
    double at;  ///< when
  };
  class Asking;
  /// What it said last, of an age that still counts. The mutex is held.
  Result<UserState> Before(const std::string& subject, double now) const;
  Result<OAuthToken> SignIn();

  Options options_;
  std::function<std::string()> token_url_;
  Http http_;
  KeptToken service_token_{[this] { return SignIn(); }};
  std::mutex mutex_;  ///< of all below; never held while the admin API is asked
  std::map<std::string, Said> said_;
  std::set<std::string> asked_for_;  ///< just now
  double down_until_ = -1e9;
  std::string client_uuid_;
};

}  // namespace slipway::auth
