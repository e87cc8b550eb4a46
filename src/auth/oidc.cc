#include "auth/oidc.h"

#include <map>
#include <mutex>

#include "base/format.h"
#include "base/http_client.h"
#include "base/json.h"
#include "base/log.h"
#include "base/oauth_token.h"
#include "base/url.h"

namespace slipway::auth {
namespace {

constexpr double kTimeout = 5, kPauseWhileDown = 2, kDefaultTokenSeconds = 60;

Result<json::value> Ask(const HttpRequest& request) {
  ASSIGN(auto answer, SendHttp(request));
  if (answer.status < 200 || answer.status > 299)
    return Fail(KindOf(answer.status), "{} answered {}", request.url, answer.status);
  auto value = ParseJson(answer.body);
  if (!value) return Fail(ErrorKind::kUnavailable, "{} did not answer with JSON", request.url);
  return value;
}

/// The path part for Keycloak's admin API: https://host/realms/name → https://host/admin/realms/name
Result<std::string> AdminUrl(const std::string& issuer) {
  auto at = issuer.rfind("/realms/");
  if (at == std::string::npos)
    return Fail(ErrorKind::kUnsupported, "auth.issuer {} is not a Keycloak realm (…/realms/name)", issuer);
  return issuer.substr(0, at) + "/admin" + issuer.substr(at);
}

}  // namespace

struct Oidc::State {
  OidcOptions options;
  std::mutex mutex, fetch_mutex;  ///< the second one is held while the issuer is asked
  std::optional<KeySet> keys;
  double asked_at = -1e9;  ///< for keys, with success or not
  bool reachable = true;
  std::string token_url, client_uuid;
  KeptToken service_token{[this] { return SignIn(); }};
  struct Looked {
    Result<UserState> state;
    double at;
  };
  std::map<std::string, Looked> users;

  Result<> FetchKeys() {
    ASSIGN(auto discovery,
           Ask({.url = options.rules.issuer + "/.well-known/openid-configuration", .timeout_seconds = kTimeout}));
    ASSIGN(auto object, JsonObject::From(discovery, "the issuer's configuration"));
    ASSIGN(auto issuer, object.String("issuer"));
    if (issuer != options.rules.issuer)
      return Fail(ErrorKind::kInvalid,
                  "auth.issuer is {1}, but that server calls itself {0}: configure the name that it gives", issuer,
                  options.rules.issuer);
    ASSIGN(auto jwks_url, object.String("jwks_uri"));
    ASSIGN(auto token, object.String("token_endpoint", ""));
    ASSIGN(auto answer, SendHttp({.url = jwks_url, .timeout_seconds = kTimeout}));
    if (answer.status != 200) return Fail(ErrorKind::kUnavailable, "{} answered {}", jwks_url, answer.status);
    ASSIGN(auto parsed, KeySet::Parse(answer.body));
    std::lock_guard lock(mutex);
    keys = std::move(parsed);
    token_url = token;
    return {};
  }

  bool Knows(const TokenHeader& header) {
    std::lock_guard lock(mutex);
    return keys && keys->Has(header.kid, header.algorithm);
  }

  /// Asks the issuer for its keys, at most once in `refresh_seconds`, or every few seconds while it is down.
  Result<> Refresh(const TokenHeader& header) {
    std::lock_guard lock(fetch_mutex);
    if (Knows(header)) return {};
    double now = MonotonicSeconds();
    if (now - asked_at >= (reachable ? options.refresh_seconds : kPauseWhileDown)) {
      auto fetched = FetchKeys();
      asked_at = now;
      reachable = fetched.has_value();
      if (!fetched) Log(LogLevel::kError, "issuer_not_reached", {{"error", fetched.error().message}});
    }
    if (!reachable)
      return Fail(ErrorKind::kUnavailable,
                  "the key that signed the token is not known, and the issuer cannot be asked for it now");
    return {};
  }

  Result<OAuthToken> SignIn() {
    if (token_url.empty()) TRY(FetchKeys());
    auto request = ClientCredentialsRequest({.token_url = token_url,
                                             .client_id = options.service_client,
                                             .client_secret = options.service_secret,
                                             .scope = ""});
    request.timeout_seconds = kTimeout;
    ASSIGN(auto answer, SendHttp(request));
    return ReadToken(answer, "sign in at " + token_url + " (auth.service_client)", kDefaultTokenSeconds);
  }

  Result<json::value> Admin(const std::string& path) {
    ASSIGN(auto base, AdminUrl(options.rules.issuer));
    ASSIGN(auto token, service_token.Get());
    auto answer =
        Ask({.url = base + path, .headers = {{"Authorization", "Bearer " + token}}, .timeout_seconds = kTimeout});
    if (!answer) service_token.Forget(token);  // it may have been revoked
    return answer;
  }

  Result<> AddRoles(const std::string& path, std::set<std::string>& roles) {
    ASSIGN(auto answer, Admin(path));
    if (!answer.is_array())
      return Fail(ErrorKind::kUnavailable, "{} of the admin API did not answer with a list of roles", path);
    for (const auto& item : answer.get_array()) {
      ASSIGN(auto role, JsonObject::From(item, "role"));
      ASSIGN(auto name, role.String("name"));
      roles.insert(name);
    }
    return {};
  }

  Result<UserState> AskForUser(const std::string& subject) {
    auto user_path = "/users/" + UrlEncode(subject);
    ASSIGN(auto answer, Admin(user_path));
    ASSIGN(auto user, JsonObject::From(answer, "user"));
    UserState state;
    ASSIGN(state.enabled, user.Bool("enabled", false));
    TRY(AddRoles(user_path + "/role-mappings/realm/composite", state.roles));
    if (!options.rules.client.empty()) {
      if (client_uuid.empty()) {
        ASSIGN(auto clients, Admin("/clients?clientId=" + UrlEncode(options.rules.client)));
        if (clients.is_array() && !clients.get_array().empty()) {
          ASSIGN(auto client, JsonObject::From(clients.get_array().front(), "client"));
          ASSIGN(client_uuid, client.String("id"));
        }
      }
      if (!client_uuid.empty())
        TRY(AddRoles(user_path + "/role-mappings/clients/" + client_uuid + "/composite", state.roles));
    }
    return state;
  }
};

Oidc::Oidc(OidcOptions options) : state_(std::make_unique<State>(std::move(options))) {}
Oidc::~Oidc() = default;

Result<TokenClaims> Oidc::Verify(std::string_view token, Timestamp now) {
  ASSIGN(auto header, ReadTokenHeader(token));
  if (!state_->Knows(header)) TRY(state_->Refresh(header));
  std::optional<KeySet> keys;
  {
    std::lock_guard lock(state_->mutex);
    keys = state_->keys;
  }
  auto claims = keys ? VerifyToken(token, *keys, state_->options.rules, now)
                     : Result<TokenClaims>(Fail(ErrorKind::kUnavailable, "no keys"));
  if (!claims && claims.error().kind == ErrorKind::kNotFound)
    return Fail(ErrorKind::kDenied, "{}", claims.error().message);
  return claims;
}

bool Oidc::HasServiceAccount() const { return !state_->options.service_client.empty(); }

Result<UserState> Oidc::LookUp(const std::string& subject) {
  std::lock_guard lock(state_->fetch_mutex);
  double now = MonotonicSeconds();
  auto found = state_->users.find(subject);
  if (found != state_->users.end() && now - found->second.at < state_->options.refresh_seconds)
    return found->second.state;
  auto state = state_->AskForUser(subject);
  if (!state && state.error().kind != ErrorKind::kNotFound) {
    Log(LogLevel::kError, "user_not_looked_up", {{"error", state.error().message}});
    if (found != state_->users.end()) {
      found->second.at = now - state_->options.refresh_seconds + kPauseWhileDown;  // not for every request
      return found->second.state;
    }
    return Fail(ErrorKind::kUnavailable, "the roles of the key's owner cannot be looked up now");
  }
  state_->users.insert_or_assign(subject, State::Looked{state, now});
  return state;
}

Result<> Oidc::Ready() {
  {
    std::lock_guard lock(state_->mutex);
    if (state_->keys) return {};
  }
  std::lock_guard lock(state_->fetch_mutex);
  return state_->FetchKeys();
}

}  // namespace slipway::auth
