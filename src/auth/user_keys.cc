#include "auth/user_keys.h"

#include <boost/json/serialize.hpp>

#include "base/format.h"
#include "base/ids.h"
#include "base/json.h"
#include "database/sql.h"

namespace slipway::auth {
namespace {

using std::chrono::days;
constexpr auto kUseNotedEvery = std::chrono::minutes{10}, kSeenNotedEvery = std::chrono::minutes{60};

std::string NewSecret() { return "slipway_" + RandomHex(32); }

template <typename Texts>
json::array ToArray(const Texts& texts) {
  return json::array(texts.begin(), texts.end());
}

Result<std::set<std::string>> ReadTexts(const json::value& list, std::string_view what) {
  if (!list.is_array()) return Fail(ErrorKind::kCorrupt, "{} is not a list", what);
  ASSIGN(auto names, JsonStrings(list.get_array(), std::string(what)));
  return std::set<std::string>(names.begin(), names.end());
}

std::optional<std::string> ToText(const std::optional<KeyScope>& scope) {
  if (!scope) return std::nullopt;
  return json::serialize(json::object{
      {"scopes", ToArray(scope->scopes)},
      {"models", scope->models ? json::value(ToArray(*scope->models)) : json::value(nullptr)},
  });
}

Result<std::optional<KeyScope>> ReadScope(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  ASSIGN(auto value, ParseJson(*text));
  ASSIGN(auto object, JsonObject::From(value, "scope of a key"));
  KeyScope scope;
  ASSIGN(const auto* scopes, object.Array("scopes"));
  ASSIGN(scope.scopes, ReadTexts(*scopes, "scopes"));
  const auto* models = object.Find("models");
  if (models != nullptr && !models->is_null()) {
    ASSIGN(scope.models, ReadTexts(*models, "models"));
  }
  return scope;
}

constexpr auto kKey =
    "SELECT id, subject, description, created_at, expires_at, last_used_at, scope FROM user_keys WHERE revoked_at IS "
    "NULL AND ";

Result<UserKey> ReadKey(const soci::row& row) {
  UserKey key{
      *sql::Text(row, 0), *sql::Text(row, 1), *sql::Text(row, 2), *sql::Time(row, 3), {}, sql::Time(row, 5), {}};
  key.expires_at = sql::Time(row, 4).value_or(key.created_at);
  ASSIGN(key.scope, ReadScope(sql::Text(row, 6)));
  return key;
}

Result<Person> ReadPerson(const soci::row& row) {
  Person person{*sql::Text(row, 0), *sql::Text(row, 1), {}};
  ASSIGN(auto roles, ParseJson(*sql::Text(row, 2)));
  ASSIGN(person.roles, ReadTexts(roles, "roles"));
  return person;
}

struct FoundKey {
  KeyOwner owner;
  std::optional<Timestamp> expires_at;
};

Result<FoundKey> ReadFound(const soci::row& row) {
  FoundKey found;
  ASSIGN(found.owner.person, ReadPerson(row));
  found.owner.seen_at = sql::Time(row, 3);
  found.owner.key_id = *sql::Text(row, 4);
  found.expires_at = sql::Time(row, 5);
  found.owner.last_used_at = sql::Time(row, 6);
  ASSIGN(found.owner.scope, ReadScope(sql::Text(row, 7)));
  return found;
}

Failure NoKey(const std::string& id) { return Fail(ErrorKind::kNotFound, "there is no key {} of that owner", id); }

}  // namespace

Result<> UserKeys::Remember(const Person& person, Timestamp issued_at) {
  auto roles = json::serialize(ToArray(person.roles));
  auto now = clock_.Now();
  bool known = false;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto query = fmt::format(
        "SELECT subject FROM people WHERE subject = {} AND ((username = {} AND roles = {}) OR token_issued_at > {}) "
        "AND seen_at > {}",
        v(person.subject), v(person.username), v(roles), v(issued_at), v(now - kSeenNotedEvery));
    ASSIGN(auto found, v.Select<std::string>(session, query, [](const soci::row& row) { return *sql::Text(row, 0); }));
    known = !found.empty();
    return {};
  }));
  if (known) return {};
  return database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v, seen;
    v.Execute(session, fmt::format("INSERT INTO people (subject, username, roles, token_issued_at) VALUES ({}, {}, {}, "
                                   "{}) ON CONFLICT (subject) DO "
                                   "UPDATE SET username = excluded.username, roles = excluded.roles, token_issued_at = "
                                   "excluded.token_issued_at "
                                   "WHERE people.token_issued_at <= excluded.token_issued_at",
                                   v(person.subject), v(person.username), v(roles), v(issued_at)));
    seen.Execute(session,
                 fmt::format("UPDATE people SET seen_at = {} WHERE subject = {}", seen(now), seen(person.subject)));
    return {};
  });
}

Result<Person> UserKeys::FindPerson(const std::string& subject) {
  std::vector<Person> found;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto query = "SELECT subject, username, roles FROM people WHERE subject = " + v(subject);
    ASSIGN(found, v.Select<Person>(session, query, ReadPerson));
    return {};
  }));
  if (found.empty()) return Fail(ErrorKind::kNotFound, "nobody with the subject '{}' has signed in here", subject);
  return std::move(found.front());
}

Result<Person> UserKeys::FindPersonNamed(const std::string& name) {
  auto person = FindPerson(name);
  if (person || person.error().kind != ErrorKind::kNotFound) return person;
  std::vector<Person> found;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto query = "SELECT subject, username, roles FROM people WHERE username = " + v(name);
    ASSIGN(found, v.Select<Person>(session, query, ReadPerson));
    return {};
  }));
  if (found.empty()) return Fail(ErrorKind::kNotFound, "nobody who is called '{}' has signed in here", name);
  if (found.size() > 1)
    return Fail(ErrorKind::kConflict, "{} people are called '{}': name one by their subject", found.size(), name);
  return std::move(found.front());
}

Result<std::pair<UserKey, std::string>> UserKeys::Create(const NewKey& wanted, const Database::Work& also) {
  auto now = clock_.Now();
  UserKey key{.id = wanted.id,
              .subject = wanted.subject,
              .description = wanted.description,
              .created_at = now,
              .expires_at = now + days{wanted.days.value_or(rules_.days)},
              .last_used_at = {},
              .scope = wanted.scope};
  auto secret = NewSecret();
  TRY(database_.Write([&](sql::Session& session) -> Result<> {
    // Their row is locked, so that two requests at once do not both find room for the last key.
    sql::Values owner, live, v;
    auto text = [](const soci::row& row) { return *sql::Text(row, 0); };
    ASSIGN(auto owners, owner.Select<std::string>(session,
                                                  "SELECT subject FROM people WHERE subject = " + owner(key.subject) +
                                                      database_.dialect().for_update,
                                                  text));
    if (owners.empty()) return Fail(ErrorKind::kNotFound, "nobody with the subject '{}' is known", key.subject);
    ASSIGN(auto keys,
           live.Select<UserKey>(
               session, kKey + fmt::format("subject = {} AND expires_at > {}", live(key.subject), live(now)), ReadKey));
    if (keys.size() >= static_cast<size_t>(rules_.most))
      return Fail(ErrorKind::kConflict,
                  "there are {} keys that work already, as many as there may be: revoke one first", keys.size());
    v.Execute(session, fmt::format("INSERT INTO user_keys (id, subject, hash, description, created_at, expires_at, "
                                   "scope) VALUES ({}, {}, {}, {}, {}, {}, {})",
                                   v(key.id), v(key.subject), v(Sha256(secret)), v(key.description), v(now),
                                   v(key.expires_at), v(ToText(key.scope))));
    return also ? also(session) : Result<>();
  }));
  return std::pair{key, secret};
}

Result<std::pair<UserKey, std::string>> UserKeys::Regenerate(const std::string& subject, const std::string& id,
                                                             const Database::Work& also) {
  auto secret = NewSecret();
  std::vector<UserKey> found;
  TRY(database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v, key;
    ASSIGN(found, key.Select<UserKey>(session, kKey + fmt::format("id = {} AND subject = {}", key(id), key(subject)),
                                      ReadKey));
    if (found.empty()) return NoKey(id);
    if (!IsActive(found.front()))
      return Fail(ErrorKind::kConflict, "the key expired on {}: make another one",
                  FormatTimestamp(found.front().expires_at));
    v.Execute(session, fmt::format("UPDATE user_keys SET hash = {} WHERE id = {}", v(Sha256(secret)), v(id)));
    return also ? also(session) : Result<>();
  }));
  return std::pair{found.front(), secret};
}

Result<> UserKeys::Revoke(const std::string& subject, const std::string& id, const Database::Work& also) {
  return database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto revoked = v.Execute(
        session,
        fmt::format("UPDATE user_keys SET revoked_at = {} WHERE id = {} AND subject = {} AND revoked_at IS NULL",
                    v(clock_.Now()), v(id), v(subject)));
    if (revoked == 0) return NoKey(id);
    return also ? also(session) : Result<>();
  });
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

Result<std::optional<KeyOwner>> UserKeys::FindOwner(std::string_view secret) {
  // Looked up by its hash: nothing of the key itself is compared, so that no time tells of it.
  std::vector<FoundKey> found;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto query = fmt::format(
        "SELECT p.subject, p.username, p.roles, p.seen_at, k.id, k.expires_at, k.last_used_at, k.scope "
        "FROM user_keys k JOIN people p ON p.subject = k.subject "
        "LEFT JOIN service_accounts a ON a.subject = p.subject "
        "WHERE k.revoked_at IS NULL AND a.removed_at IS NULL AND k.hash = {}",
        v(Sha256(secret)));
    ASSIGN(found, v.Select<FoundKey>(session, query, ReadFound));
    return {};
  }));
  if (found.empty()) return std::nullopt;
  auto& [owner, expires_at] = found.front();
  if (!expires_at || clock_.Now() >= *expires_at)
    return Fail(ErrorKind::kDenied, "the key has expired{}: make another one",
                expires_at ? " on " + FormatTimestamp(*expires_at) : "");
  return std::move(owner);
}

Result<> UserKeys::CheckSeen(const KeyOwner& owner) const {
  if (rules_.idle_days == 0 || (owner.seen_at && clock_.Now() - *owner.seen_at < days{rules_.idle_days})) return {};
  return Fail(ErrorKind::kDenied,
              "the key's owner has not been seen for {} days: they sign in once, and it works again", rules_.idle_days);
}

Result<> UserKeys::Note(const KeyOwner& owner, bool seen) {
  auto now = clock_.Now();
  bool use = !owner.last_used_at || now - *owner.last_used_at >= kUseNotedEvery;
  seen = seen && (!owner.seen_at || now - *owner.seen_at >= kSeenNotedEvery);
  if (!use && !seen) return {};
  return database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values key, person;
    if (use)
      key.Execute(session,
                  fmt::format("UPDATE user_keys SET last_used_at = {} WHERE id = {}", key(now), key(owner.key_id)));
    if (seen)
      person.Execute(session, fmt::format("UPDATE people SET seen_at = {} WHERE subject = {}", person(now),
                                          person(owner.person.subject)));
    return {};
  });
}

Result<int64_t> UserKeys::DateUndated() {
  auto now = clock_.Now();
  int64_t keys = 0;
  TRY(database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values key, person;
    keys = key.Execute(session, fmt::format("UPDATE user_keys SET expires_at = {} WHERE expires_at IS NULL AND "
                                            "revoked_at IS NULL",
                                            key(now + days{rules_.days})));
    person.Execute(session, fmt::format("UPDATE people SET seen_at = {} WHERE seen_at IS NULL", person(now)));
    return {};
  }));
  return keys;
}

}  // namespace slipway::auth
