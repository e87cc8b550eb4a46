#include "iceberg/rest_client.h"

#include <boost/json/serialize.hpp>

#include "base/format.h"
#include "base/http_client.h"
#include "base/json.h"
#include "base/url.h"

namespace slipway::iceberg {
namespace {

constexpr size_t kAnswerDepth = 64;
constexpr int64_t kBesideMetadata = int64_t{1} << 20;  // of an answer: config, credentials, a page of names
constexpr double kDefaultTokenSeconds = 3600;

/// The message of an error answer: the protocol's ErrorModel, OAuth's, or the start of whatever came.
std::string MessageOf(const HttpAnswer& answer) {
  auto value = ParseJson(answer.body);
  if (value && value->is_object()) {
    const auto& object = value->get_object();
    if (const auto* error = object.if_contains("error"); error != nullptr && error->is_object()) {
      if (const auto* message = error->get_object().if_contains("message"); message != nullptr && message->is_string())
        return std::string(message->get_string());
    }
    if (const auto* text = object.if_contains("error_description"); text != nullptr && text->is_string())
      return std::string(text->get_string());
  }
  return answer.body.substr(0, 200);
}

/// An error of a change that may have been made: only an answer that refuses it says that it was not.
Error OfChange(Error error) {
  if (error.kind == ErrorKind::kUnavailable) error.kind = ErrorKind::kPerhapsCommitted;
  return error;
}

}  // namespace

std::string RestClient::Root() const {
  auto root = place_.uri;
  while (root.ends_with('/')) root.pop_back();
  return root;
}

/// By OAuth2 client credentials.
Result<OAuthToken> RestClient::SignIn() const {
  const auto& credential = credentials_.credential;
  auto colon = credential.find(':');
  auto request = ClientCredentialsRequest(
      {.token_url = place_.oauth2_server_uri.empty() ? Root() + "/v1/oauth/tokens" : place_.oauth2_server_uri,
       .client_id = colon == std::string::npos ? "" : credential.substr(0, colon),
       .client_secret = credential.substr(colon + 1),
       .scope = place_.scope.empty() ? "catalog" : place_.scope});
  auto where = fmt::format("catalog '{}': sign in at {}", place_.name, request.url);
  ASSIGN(auto answer, Wrap(SendHttpPatiently(request), where));
  return ReadToken(answer, where, kDefaultTokenSeconds);
}

/// Empty where the catalog needs none.
Result<std::string> RestClient::Token() {
  if (!credentials_.token.empty()) return credentials_.token;
  if (credentials_.credential.empty()) return std::string();
  return token_.Get();
}

/// GET /v1/config: the prefix of all other paths, and properties. The mutex is held.
Result<> RestClient::Configure() {
  if (configured_) return {};
  ASSIGN(auto token, Token());
  HttpRequest request{.url = Root() + "/v1/config"};
  if (!place_.warehouse.empty()) request.url += "?warehouse=" + UrlEncode(place_.warehouse);
  if (!token.empty()) request.headers["Authorization"] = "Bearer " + token;
  auto where = fmt::format("catalog '{}' at {}", place_.name, request.url);
  ASSIGN(auto answer, Wrap(SendHttpPatiently(request), where));
  if (answer.status != 200) return Fail(KindOf(answer.status), "{}: {} {}", where, answer.status, MessageOf(answer));
  ASSIGN(auto value, Wrap(ParseJson(answer.body), where));
  ASSIGN(auto object, JsonObject::From(value, where));
  for (const char* part : {"defaults", "overrides"}) {  // the later wins
    if (object.Find(part) == nullptr) continue;
    ASSIGN(auto properties, object.Object(part));
    ASSIGN(auto prefix, properties.OptionalString("prefix"));
    if (prefix) prefix_ = "/" + *prefix;
  }
  configured_ = true;
  return {};
}

Result<json::value> RestClient::Send(const std::string& method, const std::string& path, const json::value& body,
                                     Kind kind) {
  for (bool renewed = false;; renewed = true) {
    HttpRequest request{.method = method,
                        .headers = {{"X-Iceberg-Access-Delegation", "vended-credentials"}},
                        .most_bytes = static_cast<size_t>(place_.limits.metadata_bytes + kBesideMetadata)};
    if (!body.is_null()) {
      request.headers["Content-Type"] = "application/json";
      request.body = json::serialize(body);
    }
    if (kind == Kind::kChange) request.timeout_seconds = kSecondsToPublish;
    std::string token;
    {
      std::lock_guard lock(mutex_);
      TRY(Configure());
      ASSIGN(token, Token());
      if (!token.empty()) request.headers["Authorization"] = "Bearer " + token;
      request.url = Root() + "/v1" + prefix_ + path;
    }
    auto where = fmt::format("catalog '{}'", place_.name);
    auto answer = Wrap(kind == Kind::kRead ? SendHttpPatiently(request) : SendHttp(request), where);
    if (!answer) return Failure(kind == Kind::kRead ? answer.error() : OfChange(answer.error()));
    bool stale = answer->status == 401 || answer->status == 419;
    if (stale && !renewed && !credentials_.credential.empty()) {
      token_.Forget(token);
      continue;
    }
    if (answer->status >= 200 && answer->status < 300)
      return answer->body.empty()
                 ? json::value(nullptr)
                 : Wrap(ParseJson(answer->body, kAnswerDepth, kJsonFreeBytes + kJsonRatio * answer->body.size()),
                        where);
    Error error{KindOf(answer->status),
                fmt::format("{}: {} {}: {} {}", where, method, path, answer->status, MessageOf(*answer))};
    return Failure(kind == Kind::kRead ? error : OfChange(error));
  }
}

}  // namespace slipway::iceberg
