#pragma once

#include <set>
#include <string>
#include <vector>

#include "auth/user_keys.h"
#include "base/error.h"
#include "base/time.h"
#include "database/database.h"

namespace slipway::auth {

/// A caller that is no person: made by an administrator, with keys that may do what their scopes say.
struct ServiceAccount {
  std::string name, description;
  std::set<std::string> roles;  ///< as a person has them, for allowed_roles
  std::string created_by;
  Timestamp created_at;

  /// What its keys belong to (UserKeys), and what stands on what it made.
  std::string subject() const { return "service-account:" + name; }
};

/// Whether no token may have this subject: it would be taken for somebody who is not its issuer's.
inline bool IsReserved(std::string_view subject) {
  return subject.starts_with("service-account:") || subject.starts_with("run:");
}

/// Service accounts in the database; their keys are in UserKeys. `also` is done in the transaction of the change.
/// Thread-safe.
class ServiceAccounts {
 public:
  explicit ServiceAccounts(Database& database) : database_(database) {}

  /// kConflict: there is one of that name, or was: a name stands on what its account made, so it is given once.
  Result<> Create(const ServiceAccount& account, const Database::Work& also = {});
  /// By name, without those that were removed.
  Result<std::vector<ServiceAccount>> List();
  Result<ServiceAccount> Find(const std::string& name);
  /// Its keys stop working.
  Result<> Remove(const std::string& name, Timestamp now, const Database::Work& also = {});

 private:
  Result<std::vector<ServiceAccount>> Select(const std::optional<std::string>& name);
  Database& database_;
};

}  // namespace slipway::auth
