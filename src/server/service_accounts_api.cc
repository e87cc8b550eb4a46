#include "base/format.h"
#include "server/api_state.h"
#include "server/key_views.h"

namespace slipway::server {

using auth::ServiceAccount;

namespace {

json::object ViewOf(const ServiceAccount& account) {
  return {{"name", account.name},
          {"description", account.description},
          {"roles", json::array(account.roles.begin(), account.roles.end())},
          {"created_by", account.created_by},
          {"created_at", FormatTimestamp(account.created_at)}};
}

std::set<std::string> Texts(const json::value& list) {
  std::set<std::string> texts;
  for (const auto& item : list.as_array()) texts.emplace(item.as_string());
  return texts;
}

}  // namespace

Response Api::State::CreateServiceAccount(Call& call) {
  auto body = ReadBody(call.request, contract::ServiceAccountBody(), &call.ignored);
  if (!body) return body.error();
  ServiceAccount account{.name = std::string(body->at("name").as_string()),
                         .description = std::string(body->at("description").as_string()),
                         .roles = Texts(body->at("roles")),
                         .created_by = call.who.subject,
                         .created_at = parts.clock.Now()};
  call.note = account.subject();
  if (auto made = parts.service_accounts.Create(account, AuditedAs(call, 201)); !made) return ErrorAnswer(made.error());
  return JsonAnswer(201, ViewOf(account));
}

Response Api::State::ListServiceAccounts(Call&) {
  auto accounts = parts.service_accounts.List();
  if (!accounts) return ErrorAnswer(accounts.error());
  return PageAnswer(deployments::Page<ServiceAccount>{*accounts, std::nullopt},
                    [](const ServiceAccount& account) { return ViewOf(account); });
}

Response Api::State::RemoveServiceAccount(Call& call) {
  const auto& name = call.request.parameters.at("account");
  call.note = ServiceAccount{.name = name}.subject();
  auto removed = parts.service_accounts.Remove(name, parts.clock.Now(), AuditedAs(call, 204));
  return removed ? Response{204, "", "", {}} : ErrorAnswer(removed.error());
}

Response Api::State::CreateServiceKey(Call& call) {
  auto body = ReadBody(call.request, contract::ServiceKeyBody(), &call.ignored);
  if (!body) return body.error();
  auto account = parts.service_accounts.Find(call.request.parameters.at("account"));
  if (!account) return ErrorAnswer(account.error());
  auth::KeyScope scope{.scopes = Texts(body->at("scopes")), .models = {}};
  if (!body->at("models").is_null()) scope.models = Texts(body->at("models"));
  return MakeKey(call, {.subject = account->subject(), .scope = std::move(scope)}, *body);
}

Response Api::State::ListServiceKeys(Call& call) {
  auto account = parts.service_accounts.Find(call.request.parameters.at("account"));
  if (!account) return ErrorAnswer(account.error());
  return KeysAnswer(parts.user_keys, parts.user_keys.List(account->subject()));
}

Response Api::State::RevokeServiceKey(Call& call) {
  const auto& id = call.request.parameters.at("id");
  auto account = parts.service_accounts.Find(call.request.parameters.at("account"));
  if (!account) return ErrorAnswer(account.error());
  call.note = fmt::format("key {} of {}", id, account->subject());
  auto revoked = parts.user_keys.Revoke(account->subject(), id, AuditedAs(call, 204));
  return revoked ? Response{204, "", "", {}} : ErrorAnswer(revoked.error());
}

}  // namespace slipway::server
