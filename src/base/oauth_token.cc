#include "base/oauth_token.h"

#include "base/format.h"
#include "base/url.h"

namespace slipway {
namespace {

constexpr double kRenewAfter = 0.8;  // of a token's time

/// What an endpoint says of why it gives no token (RFC 6749, section 5.2), or the start of whatever it said.
std::string WhyNot(const HttpAnswer& answer) {
  if (auto value = ParseJson(answer.body); value && value->is_object())
    for (const char* field : {"error_description", "error"})
      if (const auto* text = value->get_object().if_contains(field); text != nullptr && text->is_string())
        return std::string(text->get_string());
  return answer.body.substr(0, 200);
}

HttpRequest RequestOf(const std::string& grant_type, const OAuthClient& client) {
  auto form = "grant_type=" + grant_type + "&client_secret=" + UrlEncode(client.client_secret);
  if (!client.client_id.empty()) form += "&client_id=" + UrlEncode(client.client_id);
  if (!client.scope.empty()) form += "&scope=" + UrlEncode(client.scope);
  return {.method = "POST",
          .url = client.token_url,
          .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
          .body = form};
}

}  // namespace

HttpRequest ClientCredentialsRequest(const OAuthClient& client) { return RequestOf("client_credentials", client); }

HttpRequest TokenExchangeRequest(const OAuthClient& client, std::string_view token, const std::string& audience) {
  auto request = RequestOf(UrlEncode("urn:ietf:params:oauth:grant-type:token-exchange"), client);
  auto kind = UrlEncode("urn:ietf:params:oauth:token-type:access_token");
  request.body +=
      "&subject_token=" + UrlEncode(token) + "&subject_token_type=" + kind + "&requested_token_type=" + kind;
  if (!audience.empty()) request.body += "&audience=" + UrlEncode(audience);
  return request;
}

Result<OAuthToken> ReadToken(const HttpAnswer& answer, const std::string& where, double default_seconds) {
  if (answer.status < 200 || answer.status > 299) {
    auto kind = answer.status == 400 ? ErrorKind::kDenied : KindOf(answer.status);
    return Fail(kind, "{}: {} {}", where, answer.status, WhyNot(answer));
  }
  auto value = ParseJson(answer.body);
  if (!value) return Fail(ErrorKind::kUnavailable, "{}: the answer is not JSON", where);
  ASSIGN(auto object, JsonObject::From(*value, where));
  return ReadToken(object, default_seconds);
}

Result<OAuthToken> ReadToken(const JsonObject& answer, double default_seconds) {
  OAuthToken token;
  ASSIGN(token.access, answer.String("access_token"));
  ASSIGN(token.refresh, answer.String("refresh_token", ""));
  ASSIGN(auto seconds, answer.Int("expires_in", static_cast<int64_t>(default_seconds)));
  token.seconds = static_cast<double>(seconds);
  return token;
}

Result<std::string> KeptToken::Get(double now) {
  std::lock_guard lock(mutex_);
  if (!token_.empty() && now < renew_at_) return token_;
  ASSIGN(auto token, ask_());
  token_ = std::move(token.access);
  renew_at_ = now + kRenewAfter * token.seconds;
  return token_;
}

void KeptToken::Forget(const std::string& refused) {
  std::lock_guard lock(mutex_);
  if (token_ == refused) token_.clear();
}

}  // namespace slipway
