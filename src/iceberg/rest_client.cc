#include "iceberg/rest_client.h"

#include <boost/json/serialize.hpp>

#include "base/format.h"
#include "base/http_client.h"
#include "base/json.h"
#include "base/time.h"
#include "base/url.h"

namespace slipway::iceberg {
namespace {

constexpr size_t kLargestAnswer = size_t{512} << 20;
constexpr double kDefaultTokenSeconds = 3600, kRenewBefore = 0.8;

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

ErrorKind KindOf(long status) {
  switch (status) {
    case 401:
    case 403: return ErrorKind::kDenied;
    case 404: return ErrorKind::kNotFound;
    case 409: return ErrorKind::kConflict;
    case 406:
    case 501: return ErrorKind::kUnsupported;
    case 419:
    case 429: return ErrorKind::kUnavailable;
    default: return status >= 500 ? ErrorKind::kUnavailable : ErrorKind::kInvalid;
  }
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

/// OAuth2 client credentials (RFC 6749, section 4.4); renewed when most of its time is over. The mutex is held.
Result<std::string> RestClient::Token(bool renew) {
  if (!credentials_.token.empty()) return credentials_.token;
  if (credentials_.credential.empty()) return std::string();
  if (!renew && !token_.empty() && MonotonicSeconds() < token_until_) return token_;
  auto colon = credentials_.credential.find(':');
  std::string form =
      "grant_type=client_credentials&client_secret=" + UrlEncode(credentials_.credential.substr(colon + 1));
  if (colon != std::string::npos) form += "&client_id=" + UrlEncode(credentials_.credential.substr(0, colon));
  form += "&scope=" + UrlEncode(place_.scope.empty() ? "catalog" : place_.scope);
  HttpRequest request{.method = "POST",
                      .url = place_.oauth2_server_uri.empty() ? Root() + "/v1/oauth/tokens" : place_.oauth2_server_uri,
                      .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                      .body = form};
  auto where = fmt::format("catalog '{}': sign in at {}", place_.name, request.url);
  ASSIGN(auto answer, Wrap(SendHttpPatiently(request), where));
  if (answer.status != 200) {
    auto kind = answer.status == 400 || answer.status == 401 ? ErrorKind::kDenied : KindOf(answer.status);
    return Fail(kind, "{}: {} {}", where, answer.status, MessageOf(answer));
  }
  ASSIGN(auto value, Wrap(ParseJson(answer.body), where));
  ASSIGN(auto object, JsonObject::From(value, where));
  ASSIGN(token_, object.String("access_token"));
  ASSIGN(auto seconds, object.Int("expires_in", static_cast<int64_t>(kDefaultTokenSeconds)));
  token_until_ = MonotonicSeconds() + kRenewBefore * static_cast<double>(seconds);
  return token_;
}

/// GET /v1/config: the prefix of all other paths, and properties. The mutex is held.
Result<> RestClient::Configure() {
  if (configured_) return {};
  ASSIGN(auto token, Token(false));
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
                        .most_bytes = kLargestAnswer};
    if (!body.is_null()) {
      request.headers["Content-Type"] = "application/json";
      request.body = json::serialize(body);
    }
    if (kind == Kind::kChange) request.timeout_seconds = kSecondsToPublish;
    {
      std::lock_guard lock(mutex_);
      TRY(Configure());
      ASSIGN(auto token, Token(renewed));
      if (!token.empty()) request.headers["Authorization"] = "Bearer " + token;
      request.url = Root() + "/v1" + prefix_ + path;
    }
    auto where = fmt::format("catalog '{}'", place_.name);
    auto answer = Wrap(kind == Kind::kRead ? SendHttpPatiently(request) : SendHttp(request), where);
    if (!answer) return Failure(kind == Kind::kRead ? answer.error() : OfChange(answer.error()));
    bool stale = answer->status == 401 || answer->status == 419;
    if (stale && !renewed && !credentials_.credential.empty()) continue;
    if (answer->status >= 200 && answer->status < 300)
      return answer->body.empty() ? json::value(nullptr) : Wrap(ParseJson(answer->body), where);
    Error error{KindOf(answer->status),
                fmt::format("{}: {} {}: {} {}", where, method, path, answer->status, MessageOf(*answer))};
    return Failure(kind == Kind::kRead ? error : OfChange(error));
  }
}

}  // namespace slipway::iceberg
