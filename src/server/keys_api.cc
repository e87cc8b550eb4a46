#include "base/format.h"
#include "base/ids.h"
#include "server/api_state.h"
#include "server/key_views.h"

namespace slipway::server {

using auth::UserKey;

namespace {

Response Shown(const Result<std::pair<UserKey, std::string>>& made, int status) {
  if (!made) return ErrorAnswer(made.error());
  const auto& [key, secret] = *made;
  return JsonAnswer(status,
                    json::object{{"id", key.id},
                                 {"psk", secret},
                                 {"created_at", FormatTimestamp(key.created_at)},
                                 {"message", "Keep the key now: it is shown this once and cannot be read again."},
                                 {"description", key.description},
                                 {"expires_at", FormatTimestamp(key.expires_at)}});
}

Response Gone(const Result<>& done) { return done ? Response{204, "", "", {}} : ErrorAnswer(done.error()); }

}  // namespace

json::object ViewOf(const UserKey& key, bool active) {
  json::object view{
      {"id", key.id},
      {"description", key.description},
      {"created_at", FormatTimestamp(key.created_at)},
      {"expires_at", FormatTimestamp(key.expires_at)},
      {"last_used_at", key.last_used_at ? json::value(FormatTimestamp(*key.last_used_at)) : json::value(nullptr)},
      {"is_active", active},
      {"user_id", key.subject}};
  if (!key.scope) return view;
  const auto& [scopes, models] = *key.scope;
  view["scopes"] = json::array(scopes.begin(), scopes.end());
  view["models"] = models ? json::value(json::array(models->begin(), models->end())) : json::value(nullptr);
  return view;
}

Response KeysAnswer(const auth::UserKeys& keys, const Result<std::vector<UserKey>>& found) {
  if (!found) return ErrorAnswer(found.error());
  return PageAnswer(deployments::Page<UserKey>{*found, std::nullopt},
                    [&](const UserKey& key) { return ViewOf(key, keys.IsActive(key)); });
}

/// Makes a key for somebody, as long-lived as the body says.
Response Api::State::MakeKey(Call& call, auth::UserKeys::NewKey wanted, const json::object& body) {
  wanted.description = std::string(body.at("description").as_string());
  if (const auto* days = body.if_contains("expires_in_days")) {
    auto most = parts.user_keys.rules().most_days;
    if (days->as_int64() > most)
      return ValidationAnswer({contract::ValueError(
          {"expires_in_days"}, fmt::format("a key works for {} days at most (auth.keys_days_most)", most), *days)});
    wanted.days = static_cast<int>(days->as_int64());
  }
  wanted.id = NewUuid();
  call.note = fmt::format("key {} of {}: {}", wanted.id, wanted.subject, wanted.description);
  return Shown(parts.user_keys.Create(wanted, AuditedAs(call, 201)), 201);
}

Response Api::State::CreateKey(Call& call) {
  auto body = ReadBody(call.request, contract::UserKeyBody(), &call.ignored);
  if (!body) return body.error();
  return MakeKey(call, {.subject = call.who.subject}, *body);
}

Response Api::State::ListKeys(Call& call) {
  return KeysAnswer(parts.user_keys, parts.user_keys.List(call.who.subject));
}

Response Api::State::RegenerateKey(Call& call) {
  const auto& id = call.request.parameters.at("id");
  call.note = "key " + id;
  return Shown(parts.user_keys.Regenerate(call.who.subject, id, AuditedAs(call, 200)), 200);
}

Response Api::State::DeleteKey(Call& call) {
  const auto& id = call.request.parameters.at("id");
  call.note = "key " + id;
  return Gone(parts.user_keys.Revoke(call.who.subject, id, AuditedAs(call, 204)));
}

Response Api::State::ListKeysOf(Call& call) {
  const auto& subject = call.request.parameters.at("sub");
  auto person = parts.user_keys.FindPerson(subject);
  if (!person) return ErrorAnswer(person.error());
  return KeysAnswer(parts.user_keys, parts.user_keys.List(subject));
}

Response Api::State::RevokeKeyOf(Call& call) {
  const auto& id = call.request.parameters.at("id");
  const auto& subject = call.request.parameters.at("sub");
  call.note = fmt::format("key {} of {}", id, subject);
  return Gone(parts.user_keys.Revoke(subject, id, AuditedAs(call, 204)));
}

}  // namespace slipway::server
