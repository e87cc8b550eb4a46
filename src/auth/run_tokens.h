#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "auth/identity.h"
#include "base/error.h"
#include "base/time.h"
#include "database/database.h"

namespace slipway::auth {

/// Tokens with which a worker tells of one run, and can do nothing else: signed (HMAC-SHA256), not stored, expiring.
/// The keys that sign are in the database, so that several servers on it take each other's tokens; a new one is made
/// every 30 days, and the ones before go when no token of theirs can be valid any more. Thread-safe.
class RunTokens {
 public:
  /// `life_seconds`: of a token.
  RunTokens(Database& database, const Clock& clock, int life_seconds)
      : database_(database), clock_(clock), life_(std::chrono::seconds{life_seconds}) {}

  /// A token for the reports of a run.
  Result<std::string> Issue(const RunGrant& grant);

  /// kDenied says why: not signed here, changed, or expired.
  Result<RunGrant> Verify(std::string_view token);

  /// Whether a credential has the form of a run token.
  static bool LooksLikeOne(std::string_view credential);

 private:
  struct Key {
    std::string id, secret;
    Timestamp made_at;
  };
  Result<Key> SigningKey(Timestamp now);
  Result<std::string> SecretOf(const std::string& key_id);
  Database& database_;
  const Clock& clock_;
  std::chrono::seconds life_;
  std::mutex mutex_;                 ///< never held while the database is asked
  std::map<std::string, Key> keys_;  ///< that were read; a key never changes
};

}  // namespace slipway::auth
