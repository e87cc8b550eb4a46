#include "server/api_state.h"

namespace slipway::server {
namespace {

json::object ViewOf(const auth::UserKey& key) {
  return {{"id", key.id}, {"description", key.description}, {"created_at", FormatTimestamp(key.created_at)}};
}

Response Shown(const Result<std::pair<auth::UserKey, std::string>>& made, int status) {
  if (!made) return ErrorAnswer(made.error());
  const auto& [key, secret] = *made;
  return JsonAnswer(status,
                    json::object{{"id", key.id},
                                 {"psk", secret},
                                 {"created_at", FormatTimestamp(key.created_at)},
                                 {"message", "Keep the key now: it is shown this once and cannot be read again."},
                                 {"description", key.description}});
}

}  // namespace

Response Api::State::CreateKey(Call& call) {
  auto body = ReadBody(call.request, contract::UserKeyBody(), &call.ignored);
  if (!body) return body.error();
  return Shown(
      parts.user_keys.Create(call.who.subject, std::string(body->at("description").as_string()), parts.clock.Now()),
      201);
}

Response Api::State::ListKeys(Call& call) {
  auto keys = parts.user_keys.List(call.who.subject);
  if (!keys) return ErrorAnswer(keys.error());
  return PageAnswer(deployments::Page<auth::UserKey>{*keys, std::nullopt},
                    [](const auth::UserKey& key) { return ViewOf(key); });
}

Response Api::State::RegenerateKey(Call& call) {
  return Shown(parts.user_keys.Regenerate(call.who.subject, call.request.parameters.at("id")), 200);
}

Response Api::State::DeleteKey(Call& call) {
  auto revoked = parts.user_keys.Revoke(call.who.subject, call.request.parameters.at("id"), parts.clock.Now());
  if (!revoked) return ErrorAnswer(revoked.error());
  return {204, "", "", {}};
}

}  // namespace slipway::server
