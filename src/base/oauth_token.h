#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "base/error.h"
#include "base/http_client.h"
#include "base/json.h"
#include "base/time.h"

namespace slipway {

/// A program's own credentials at an issuer of tokens.
struct OAuthClient {
  std::string token_url, client_id, client_secret;
  std::string scope;  ///< empty: none is asked for
};

/// The request for a token by client credentials (RFC 6749, section 4.4).
HttpRequest ClientCredentialsRequest(const OAuthClient& client);

/// The request for a token of the same person for somebody else, by theirs (RFC 8693, section 2.1). `audience`: whom
/// the new one is for; empty: the issuer decides.
HttpRequest TokenExchangeRequest(const OAuthClient& client, std::string_view token, const std::string& audience);

/// What a token endpoint gave (RFC 6749, section 5.1).
struct OAuthToken {
  std::string access, refresh;  ///< refresh: often empty
  double seconds = 0;           ///< how long it is good for
};

/// `default_seconds`: where the answer does not say how long the token is good for. `where` starts every message.
/// kDenied: the credentials are refused (400, 401, 403); kUnavailable: there is no token now.
Result<OAuthToken> ReadToken(const HttpAnswer& answer, const std::string& where, double default_seconds);
Result<OAuthToken> ReadToken(const JsonObject& answer, double default_seconds);

/// A token that is kept, and asked for anew when 80 % of its time are over or a server has refused it. Thread-safe: one
/// thread asks, and the others wait for what it gets.
class KeptToken {
 public:
  /// `ask` gets a new token.
  explicit KeptToken(std::function<Result<OAuthToken>()> ask) : ask_(std::move(ask)) {}

  /// `now` is MonotonicSeconds(), but for tests.
  Result<std::string> Get(double now = MonotonicSeconds());

  /// A server refused this token: Get asks for another one, unless somebody has got one already.
  void Forget(const std::string& refused);

 private:
  std::function<Result<OAuthToken>()> ask_;
  std::mutex mutex_;
  std::string token_;
  double renew_at_ = 0;
};

}  // namespace slipway
