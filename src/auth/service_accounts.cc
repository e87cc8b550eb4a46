#include "auth/service_accounts.h"

#include <boost/json/serialize.hpp>

#include "base/format.h"
#include "base/json.h"
#include "database/sql.h"

namespace slipway::auth {
namespace {

Result<ServiceAccount> ReadAccount(const soci::row& row) {
  ServiceAccount account{
      *sql::Text(row, 0), *sql::Text(row, 1), {}, *sql::Text(row, 2), *sql::Time(row, 3),
  };
  ASSIGN(auto roles, ParseJson(*sql::Text(row, 4)));
  ASSIGN(auto names, JsonStrings(roles.as_array(), "roles"));
  account.roles.insert(names.begin(), names.end());
  return account;
}

Failure NoAccount(const std::string& name) { return Fail(ErrorKind::kNotFound, "no service account '{}'", name); }

}  // namespace

Result<> ServiceAccounts::Create(const ServiceAccount& account, const Database::Work& also) {
  auto roles = json::serialize(json::array(account.roles.begin(), account.roles.end()));
  return database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values taken, owner, v;
    auto text = [](const soci::row& row) { return *sql::Text(row, 0); };
    ASSIGN(auto before, taken.Select<std::string>(
                            session, "SELECT name FROM service_accounts WHERE name = " + taken(account.name), text));
    if (!before.empty())
      return Fail(ErrorKind::kConflict,
                  "there is a service account '{}' already, or was: a name is given once, take another one",
                  account.name);
    owner.Execute(session,
                  fmt::format("INSERT INTO people (subject, username, roles, token_issued_at) VALUES ({}, {}, {}, {})",
                              owner(account.subject()), owner(account.name), owner(roles), owner(account.created_at)));
    v.Execute(session, fmt::format("INSERT INTO service_accounts (name, subject, description, created_by, created_at) "
                                   "VALUES ({}, {}, {}, {}, {})",
                                   v(account.name), v(account.subject()), v(account.description), v(account.created_by),
                                   v(account.created_at)));
    return also ? also(session) : Result<>();
  });
}

Result<std::vector<ServiceAccount>> ServiceAccounts::Select(const std::optional<std::string>& name) {
  std::vector<ServiceAccount> accounts;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    std::string query =
        "SELECT a.name, a.description, a.created_by, a.created_at, p.roles FROM service_accounts a "
        "JOIN people p ON p.subject = a.subject WHERE a.removed_at IS NULL";
    if (name) query += " AND a.name = " + v(*name);
    ASSIGN(accounts, v.Select<ServiceAccount>(session, query + " ORDER BY a.name", ReadAccount));
    return {};
  }));
  return accounts;
}

Result<std::vector<ServiceAccount>> ServiceAccounts::List() { return Select(std::nullopt); }

Result<ServiceAccount> ServiceAccounts::Find(const std::string& name) {
  ASSIGN(auto found, Select(name));
  if (found.empty()) return NoAccount(name);
  return std::move(found.front());
}

Result<> ServiceAccounts::Remove(const std::string& name, Timestamp now, const Database::Work& also) {
  return database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v, keys;
    auto removed = v.Execute(
        session, fmt::format("UPDATE service_accounts SET removed_at = {} WHERE name = {} AND removed_at IS NULL",
                             v(now), v(name)));
    if (removed == 0) return NoAccount(name);
    keys.Execute(session, fmt::format("UPDATE user_keys SET revoked_at = {} WHERE revoked_at IS NULL AND subject = {}",
                                      keys(now), keys(ServiceAccount{.name = name}.subject())));
    return also ? also(session) : Result<>();
  });
}

}  // namespace slipway::auth
