#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "database/database.h"

namespace slipway::auth {

/// A key that a person made for themselves; the key itself is never kept.
struct UserKey {
  std::string id, subject, description;
  Timestamp created_at;
};

/// A person as their last token described them.
struct Person {
  std::string subject, username;
  std::set<std::string> roles;
};

/// User keys and the people who made them, in the database. Only hashes of keys are stored. Thread-safe.
class UserKeys {
 public:
  explicit UserKeys(Database& database) : database_(database) {}

  /// Remembers who showed a token; an older token than the last one changes nothing.
  Result<> Remember(const Person& person, Timestamp token_issued_at);

  /// A new key of a person who is remembered; the secret is shown this once.
  Result<std::pair<UserKey, std::string>> Create(const std::string& subject, const std::string& description,
                                                 Timestamp now);
  /// A new secret for a key; the old one stops working. kNotFound: the person has no such key.
  Result<std::pair<UserKey, std::string>> Regenerate(const std::string& subject, const std::string& id);
  Result<> Revoke(const std::string& subject, const std::string& id, Timestamp now);
  /// Oldest first, without those that were revoked.
  Result<std::vector<UserKey>> List(const std::string& subject);

  /// Whose key it is; nothing for a key that is unknown or revoked.
  Result<std::optional<Person>> FindOwner(std::string_view secret);

 private:
  Database& database_;
};

}  // namespace slipway::auth
