#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "auth/token.h"
#include "base/error.h"
#include "base/http_client.h"

namespace slipway::auth {

/// How requests are sent; tests give another way.
using Http = std::function<Result<HttpAnswer>(const HttpRequest&)>;

/// The keys of an OpenID Connect issuer (discovery, RFC 8414; keys, RFC 7517), kept as it last told them.
///
/// One thread of its own asks, so that one request is under way at a time and no lock is held meanwhile: at the start,
/// every `renew_seconds`, so that keys which the issuer has withdrawn are refused, and when a token names a key that is
/// not known, at most every `refresh_seconds`. An issuer that is away or answers nonsense withdraws nothing.
/// Thread-safe.
class IssuerKeys {
 public:
  struct Options {
    std::string issuer;
    int refresh_seconds = 60, renew_seconds = 600;
    double deadline_seconds = 5;  ///< of one fetch, and for whoever waits for it
  };
  IssuerKeys(Options options, Http http);
  ~IssuerKeys();

  /// The keys, with the one that a token names where the issuer has it. Of all callers whose key is not known one waits
  /// for the issuer, until the deadline, and the others get kUnavailable at once: so no number of tokens with made-up
  /// keys keeps the server from its work. kUnavailable too while the issuer cannot be asked. Where the issuer was asked
  /// a short time ago, the keys come back as they are: it has no such key.
  Result<std::shared_ptr<const KeySet>> For(const TokenHeader& header);

  /// Whether keys are known; else why not. Never waits, but has the issuer asked.
  Result<> Ready();
  /// Waits for the first answer of the issuer, of whatever kind, until the deadline.
  void AwaitFirst();

  /// Of the issuer's configuration; empty before it has told.
  std::string TokenUrl() const;

 private:
  void Loop(const std::stop_token& stop);
  void Fetch();
  bool Due(double now) const;

  Options options_;
  Http http_;
  mutable std::mutex mutex_;  ///< of all below; never held while the issuer is asked
  mutable std::condition_variable_any changed_;
  std::shared_ptr<const KeySet> keys_;
  std::string token_url_;
  std::optional<Error> failure_;  ///< of the last fetch
  double asked_at_ = -1e9;        ///< when the last fetch ended
  bool wanted_ = false, waited_for_ = false;
  uint64_t fetches_ = 0;  ///< that have ended
  std::jthread thread_;
};

}  // namespace slipway::auth
