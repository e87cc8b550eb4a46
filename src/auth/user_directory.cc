#include "auth/user_directory.h"

#include "base/format.h"
#include "base/json.h"
#include "base/log.h"
#include "base/url.h"

namespace slipway::auth {
namespace {

constexpr double kPauseWhileDown = 2, kDefaultTokenSeconds = 60;
constexpr size_t kMostBytes = size_t{4} << 20, kMostRemembered = 100'000;

/// The path part for Keycloak's admin API: https://host/realms/name → https://host/admin/realms/name
Result<std::string> AdminUrl(const std::string& issuer) {
  auto at = issuer.rfind("/realms/");
  if (at == std::string::npos)
    return Fail(ErrorKind::kUnsupported, "auth.issuer {} is not a Keycloak realm (…/realms/name)", issuer);
  return issuer.substr(0, at) + "/admin" + issuer.substr(at);
}

Result<> AddRoles(const json::value& answer, std::set<std::string>& roles) {
  if (!answer.is_array()) return Fail(ErrorKind::kUnavailable, "the admin API did not answer with a list of roles");
  for (const auto& item : answer.get_array()) {
    ASSIGN(auto role, JsonObject::From(item, "role"));
    ASSIGN(auto name, role.String("name"));
    roles.insert(name);
  }
  return {};
}

}  // namespace

/// One look-up: its requests have one deadline together.
class UserDirectory::Asking {
 public:
  Asking(UserDirectory& directory, std::string client_uuid)
      : directory_(directory),
        client_uuid_(std::move(client_uuid)),
        until_(MonotonicSeconds() + directory.options_.deadline_seconds) {}

  const std::string& client_uuid() const { return client_uuid_; }

  Result<UserState> For(const std::string& subject) {
    auto path = "/users/" + UrlEncode(subject);
    ASSIGN(auto answer, Admin(path));
    ASSIGN(auto user, JsonObject::From(answer, "user"));
    UserState state;
    ASSIGN(state.enabled, user.Bool("enabled", false));
    ASSIGN(auto of_realm, Admin(path + "/role-mappings/realm/composite"));
    TRY(AddRoles(of_realm, state.roles));
    TRY(FindClient());
    if (client_uuid_.empty()) return state;
    ASSIGN(auto of_client, Admin(path + "/role-mappings/clients/" + client_uuid_ + "/composite"));
    TRY(AddRoles(of_client, state.roles));
    return state;
  }

 private:
  Result<json::value> Admin(const std::string& path) {
    ASSIGN(auto base, AdminUrl(directory_.options_.issuer));
    ASSIGN(auto token, directory_.service_token_.Get());
    double left = until_ - MonotonicSeconds();
    if (left <= 0) return Fail(ErrorKind::kUnavailable, "the admin API answers too slowly");
    ASSIGN(auto answer, directory_.http_({.url = base + path,
                                          .headers = {{"Authorization", "Bearer " + token}},
                                          .timeout_seconds = left,
                                          .most_bytes = kMostBytes}));
    if (answer.status < 200 || answer.status > 299) {
      if (answer.status != 404) directory_.service_token_.Forget(token);  // it may have been revoked
      return Fail(KindOf(answer.status), "{} answered {}", base + path, answer.status);
    }
    auto value = ParseJson(answer.body);
    if (!value) return Fail(ErrorKind::kUnavailable, "{} did not answer with JSON", base + path);
    return value;
  }

  Result<> FindClient() {
    const auto& client = directory_.options_.client;
    if (client.empty() || !client_uuid_.empty()) return {};
    ASSIGN(auto clients, Admin("/clients?clientId=" + UrlEncode(client)));
    if (!clients.is_array() || clients.get_array().empty()) return {};
    ASSIGN(auto found, JsonObject::From(clients.get_array().front(), "client"));
    ASSIGN(client_uuid_, found.String("id"));
    return {};
  }

  UserDirectory& directory_;
  std::string client_uuid_;
  double until_;
};

UserDirectory::UserDirectory(Options options, std::function<std::string()> token_url, Http http)
    : options_(std::move(options)), token_url_(std::move(token_url)), http_(std::move(http)) {}

Result<OAuthToken> UserDirectory::SignIn() {
  auto url = token_url_();
  if (url.empty()) return Fail(ErrorKind::kUnavailable, "the issuer has not told where to sign in yet");
  auto request = ClientCredentialsRequest(
      {.token_url = url, .client_id = options_.service_client, .client_secret = options_.service_secret, .scope = ""});
  request.timeout_seconds = options_.deadline_seconds;
  ASSIGN(auto answer, http_(request));
  return ReadToken(answer, "sign in at " + url + " (auth.service_client)", kDefaultTokenSeconds);
}

Result<UserState> UserDirectory::Before(const std::string& subject, double now) const {
  auto found = said_.find(subject);
  if (found == said_.end())
    return Fail(ErrorKind::kUnavailable, "the roles of the key's owner cannot be looked up now");
  if (options_.oldest_seconds > 0 && now - found->second.at >= options_.oldest_seconds)
    return Fail(ErrorKind::kUnavailable, "the roles of the key's owner cannot be looked up, and are too old to count");
  auto state = found->second.state;
  if (state) state->is_new = false;
  return state;
}

Result<UserState> UserDirectory::LookUp(const std::string& subject, double now) {
  std::unique_lock lock(mutex_);
  if (auto found = said_.find(subject); found != said_.end() && now - found->second.at < options_.refresh_seconds)
    return found->second.state;
  if (now < down_until_ || asked_for_.contains(subject) || asked_for_.size() >= static_cast<size_t>(options_.at_once))
    return Before(subject, now);
  asked_for_.insert(subject);
  Asking asking(*this, client_uuid_);
  lock.unlock();
  auto state = asking.For(subject);
  lock.lock();
  asked_for_.erase(subject);
  client_uuid_ = asking.client_uuid();
  if (!state && state.error().kind != ErrorKind::kNotFound) {
    Log(LogLevel::kError, "user_not_looked_up", {{"error", state.error().message}});
    down_until_ = now + kPauseWhileDown;  // not for every request
    return Before(subject, now);
  }
  if (said_.size() >= kMostRemembered) said_.clear();
  said_.insert_or_assign(subject, Said{state, now});
  return state;
}

}  // namespace slipway::auth
