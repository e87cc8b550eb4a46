#include "auth/user_keys.h"

#include <boost/json/serialize.hpp>

#include "base/format.h"
#include "base/ids.h"
#include "base/json.h"
#include "database/sql.h"

namespace slipway::auth {
namespace {

std::string NewSecret() { return "slipway_" + RandomHex(32); }

Result<UserKey> ReadKey(const soci::row& row) {
  return UserKey{*sql::Text(row, 0), *sql::Text(row, 1), *sql::Text(row, 2), *sql::Time(row, 3)};
}

Result<Person> ReadPerson(const soci::row& row) {
  Person person{*sql::Text(row, 0), *sql::Text(row, 1), {}};
  ASSIGN(auto roles, ParseJson(*sql::Text(row, 2)));
  ASSIGN(auto names, JsonStrings(roles.as_array(), "roles"));
  person.roles.insert(names.begin(), names.end());
  return person;
}

constexpr auto kKey = "SELECT id, subject, description, created_at FROM user_keys WHERE revoked_at IS NULL AND ";

}  // namespace

Result<> UserKeys::Remember(const Person& person, Timestamp issued_at) {
  auto roles = json::serialize(json::array(person.roles.begin(), person.roles.end()));
  bool known = false;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto query = fmt::format(
        "SELECT subject FROM people WHERE subject = {} AND ((username = {} AND roles = {}) OR token_issued_at > {})",
        v(person.subject), v(person.username), v(roles), v(issued_at));
    ASSIGN(auto found, v.Select<std::string>(session, query, [](const soci::row& row) { return *sql::Text(row, 0); }));
    known = !found.empty();
    return {};
  }));
  if (known) return {};
  return database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v;
    v.Execute(session, fmt::format("INSERT INTO people (subject, username, roles, token_issued_at) VALUES ({}, {}, {}, "
                                   "{}) ON CONFLICT (subject) DO "
                                   "UPDATE SET username = excluded.username, roles = excluded.roles, token_issued_at = "
                                   "excluded.token_issued_at "
                                   "WHERE people.token_issued_at <= excluded.token_issued_at",
                                   v(person.subject), v(person.username), v(roles), v(issued_at)));
    return {};
  });
}

Result<std::pair<UserKey, std::string>> UserKeys::Create(const std::string& subject, const std::string& description,
                                                         Timestamp now) {
  UserKey key{NewUuid(), subject, description, now};
  auto secret = NewSecret();
  TRY(database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v;
    v.Execute(
        session,
        fmt::format("INSERT INTO user_keys (id, subject, hash, description, created_at) VALUES ({}, {}, {}, {}, {})",
                    v(key.id), v(subject), v(Sha256(secret)), v(description), v(now)));
    return {};
  }));
  return std::pair{key, secret};
}

Result<std::pair<UserKey, std::string>> UserKeys::Regenerate(const std::string& subject, const std::string& id) {
  auto secret = NewSecret();
  std::vector<UserKey> found;
  TRY(database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v;
    v.Execute(session,
              fmt::format("UPDATE user_keys SET hash = {} WHERE id = {} AND subject = {} AND revoked_at IS NULL",
                          v(Sha256(secret)), v(id), v(subject)));
    sql::Values key;
    ASSIGN(found, key.Select<UserKey>(session, kKey + fmt::format("id = {} AND subject = {}", key(id), key(subject)),
                                      ReadKey));
    return {};
  }));
  if (found.empty()) return Fail(ErrorKind::kNotFound, "you have no key {}", id);
  return std::pair{found.front(), secret};
}

Result<> UserKeys::Revoke(const std::string& subject, const std::string& id, Timestamp now) {
  int64_t revoked = 0;
  TRY(database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v;
    revoked = v.Execute(
        session,
        fmt::format("UPDATE user_keys SET revoked_at = {} WHERE id = {} AND subject = {} AND revoked_at IS NULL",
                    v(now), v(id), v(subject)));
    return {};
  }));
  if (revoked == 0) return Fail(ErrorKind::kNotFound, "you have no key {}", id);
  return {};
}

Result<std::vector<UserKey>> UserKeys::List(const std::string& subject) {
  std::vector<UserKey> keys;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    ASSIGN(keys, v.Select<UserKey>(session, kKey + fmt::format("subject = {} ORDER BY sequence", v(subject)), ReadKey));
    return {};
  }));
  return keys;
}

Result<std::optional<Person>> UserKeys::FindOwner(std::string_view secret) {
  // Looked up by its hash: nothing of the key itself is compared, so that no time tells of it.
  std::vector<Person> found;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto query = fmt::format(
        "SELECT p.subject, p.username, p.roles FROM user_keys k JOIN people p ON p.subject = k.subject WHERE "
        "k.revoked_at IS NULL AND "
        "k.hash = {}",
        v(Sha256(secret)));
    ASSIGN(found, v.Select<Person>(session, query, ReadPerson));
    return {};
  }));
  return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

}  // namespace slipway::auth
