#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "auth/identity.h"
#include "base/error.h"
#include "base/time.h"
#include "database/database.h"

namespace slipway::auth {

/// How long keys live, and how many there may be.
struct KeyRules {
  int days = 90;        ///< unless a key says otherwise
  int most_days = 366;  ///< that one may say
  int most = 20;        ///< live keys of one owner
  int idle_days = 30;   ///< a key stops when nobody has seen its owner for so long; 0: never
};

/// A key that a person made for themselves, or that was made for a service account; the key itself is never kept.
struct UserKey {
  std::string id, subject, description;
  Timestamp created_at, expires_at;
  std::optional<Timestamp> last_used_at;  ///< some minutes old at most
  std::optional<KeyScope> scope;          ///< of a service account's
};

/// A person as their last token described them, or a service account.
struct Person {
  std::string subject, username;
  std::set<std::string> roles;
};

/// Whose key it is.
struct KeyOwner {
  Person person;
  std::string key_id;
  std::optional<KeyScope> scope;  ///< of a service account's
  std::optional<Timestamp> seen_at, last_used_at;
};

/// Keys and the people who made them, in the database. Only hashes of keys are stored. `also` is done in the
/// transaction of the change. Thread-safe.
class UserKeys {
 public:
  UserKeys(Database& database, const Clock& clock, KeyRules rules)
      : database_(database), clock_(clock), rules_(rules) {}

  const KeyRules& rules() const { return rules_; }

  /// Remembers who showed a token; an older token than the last one changes nothing but when they were seen.
  Result<> Remember(const Person& person, Timestamp token_issued_at);
  /// kNotFound: nobody of that name has shown a token here.
  Result<Person> FindPerson(const std::string& subject);
  /// By subject, else by the name that people know. kConflict: several have that name.
  Result<Person> FindPersonNamed(const std::string& name);

  struct NewKey {
    std::string id, subject, description;
    std::optional<int> days;        ///< until it expires, at most rules().most_days
    std::optional<KeyScope> scope;  ///< of a service account's
  };
  /// A key of somebody who is remembered; the secret is shown this once. kConflict: they have as many as they may.
  Result<std::pair<UserKey, std::string>> Create(const NewKey& wanted, const Database::Work& also = {});
  /// A new secret for a key, until the same day; the old one stops working. kNotFound: no such key of theirs;
  /// kConflict: it has expired.
  Result<std::pair<UserKey, std::string>> Regenerate(const std::string& subject, const std::string& id,
                                                     const Database::Work& also = {});
  Result<> Revoke(const std::string& subject, const std::string& id, const Database::Work& also = {});
  /// Oldest first, without those that were revoked.
  Result<std::vector<UserKey>> List(const std::string& subject);
  bool IsActive(const UserKey& key) const { return clock_.Now() < key.expires_at; }

  /// Whose key it is; nothing for a key that is unknown or revoked. kDenied: it has expired.
  Result<std::optional<KeyOwner>> FindOwner(std::string_view secret);
  /// kDenied: nobody has seen the owner for rules().idle_days.
  Result<> CheckSeen(const KeyOwner& owner) const;
  /// Notes that a key was used, and with `seen` that its owner is there: not at every use.
  Result<> Note(const KeyOwner& owner, bool seen);

  /// Keys and people of a version that knew no expiry: they count from now. How many keys.
  Result<int64_t> DateUndated();

 private:
  Database& database_;
  const Clock& clock_;
  KeyRules rules_;
};

}  // namespace slipway::auth
