#include "auth/run_tokens.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/encoding.h"
#include "base/format.h"
#include "base/ids.h"
#include "database/sql.h"

namespace slipway::auth {
namespace {

constexpr std::string_view kStart = "slipway_run.";
constexpr size_t kLongest = 512, kParts = 6, kKeyIdBytes = 8, kSecretBytes = 32;
constexpr auto kKeyLife = std::chrono::days{30};
constexpr size_t kMostRemembered = 100;

/// slipway_run.<key>.<deployment>.<run>.<expiry, seconds since 1970>.<signature of all before it>
std::vector<std::string_view> PartsOf(std::string_view token) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at <= token.size() && parts.size() <= kParts;) {
    auto end = std::min(token.find('.', at), token.size());
    parts.push_back(token.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

std::string Sign(const std::string& secret, std::string_view text) { return Base64(HmacSha256(secret, text)); }

}  // namespace

bool RunTokens::LooksLikeOne(std::string_view credential) { return credential.starts_with(kStart); }

Result<std::string> RunTokens::Issue(const RunGrant& grant) {
  auto now = clock_.Now();
  ASSIGN(auto key, SigningKey(now));
  auto expires = std::chrono::floor<std::chrono::seconds>(now + life_).time_since_epoch().count();
  auto text = fmt::format("{}{}.{}.{}.{}", kStart, key.id, grant.deployment_id, grant.run_id, expires);
  return text + "." + Sign(key.secret, text);
}

Result<RunGrant> RunTokens::Verify(std::string_view token) {
  auto denied = [](const char* why) { return Fail(ErrorKind::kDenied, "the run token {}", why); };
  if (token.size() > kLongest || !LooksLikeOne(token)) return denied("is not one");
  auto parts = PartsOf(token);
  if (parts.size() != kParts || !IsUuid(parts[2]) || !IsUuid(parts[3])) return denied("is not one");
  int64_t expires = 0;
  auto [end, code] = std::from_chars(parts[4].data(), parts[4].data() + parts[4].size(), expires);
  if (code != std::errc{} || end != parts[4].data() + parts[4].size()) return denied("is not one");
  auto secret = SecretOf(std::string(parts[1]));
  if (!secret && secret.error().kind == ErrorKind::kNotFound) return denied("was not made here, or its key is gone");
  TRY(secret);
  if (!ConstantTimeEqual(parts[5], Sign(*secret, token.substr(0, token.rfind('.')))))
    return denied("was changed: its signature is wrong");
  if (clock_.Now() >= Timestamp{std::chrono::seconds{expires}}) return denied("has expired");
  return RunGrant{std::string(parts[2]), std::string(parts[3])};
}

/// The newest key, or a new one where there is none, or it is old enough. Two servers may make one each: both are good.
Result<RunTokens::Key> RunTokens::SigningKey(Timestamp now) {
  {
    std::lock_guard lock(mutex_);
    auto newest = std::ranges::max_element(keys_, {}, [](const auto& entry) { return entry.second.made_at; });
    if (newest != keys_.end() && now - newest->second.made_at < kKeyLife) return newest->second;
  }
  Key key{RandomHex(kKeyIdBytes), RandomHex(kSecretBytes), now};
  TRY(database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values newest;
    auto read = [](const soci::row& row) { return Key{*sql::Text(row, 0), *sql::Text(row, 1), *sql::Time(row, 2)}; };
    ASSIGN(auto found, newest.Select<Key>(session,
                                          fmt::format("SELECT id, secret, made_at FROM signing_keys WHERE made_at > {} "
                                                      "ORDER BY made_at DESC LIMIT 1",
                                                      newest(now - kKeyLife)),
                                          read));
    if (!found.empty()) {
      key = std::move(found.front());
      return {};
    }
    sql::Values old, v;
    old.Execute(session, fmt::format("DELETE FROM signing_keys WHERE made_at < {}", old(now - 2 * kKeyLife - life_)));
    v.Execute(session, fmt::format("INSERT INTO signing_keys (id, secret, made_at) VALUES ({}, {}, {})", v(key.id),
                                   v(key.secret), v(key.made_at)));
    return {};
  }));
  std::lock_guard lock(mutex_);
  if (keys_.size() >= kMostRemembered) keys_.clear();
  keys_[key.id] = key;
  return key;
}

Result<std::string> RunTokens::SecretOf(const std::string& key_id) {
  {
    std::lock_guard lock(mutex_);
    if (auto known = keys_.find(key_id); known != keys_.end()) return known->second.secret;
  }
  std::vector<Key> found;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto read = [](const soci::row& row) { return Key{*sql::Text(row, 0), *sql::Text(row, 1), *sql::Time(row, 2)}; };
    ASSIGN(found, v.Select<Key>(session, "SELECT id, secret, made_at FROM signing_keys WHERE id = " + v(key_id), read));
    return {};
  }));
  if (found.empty()) return Fail(ErrorKind::kNotFound, "no signing key {}", key_id);
  std::lock_guard lock(mutex_);
  if (keys_.size() >= kMostRemembered) keys_.clear();
  keys_[key_id] = found.front();
  return found.front().secret;
}

}  // namespace slipway::auth
