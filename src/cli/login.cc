#include "cli/login.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "base/format.h"
#include "base/http_client.h"
#include "base/json.h"
#include "base/oauth_token.h"
#include "base/time.h"
#include "base/url.h"

namespace slipway::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kEarly = 30;  // seconds before its end that a token is renewed
constexpr double kDefaultTokenSeconds = 60;

int64_t Now() {
  return std::chrono::duration_cast<std::chrono::seconds>(SystemClock().Now().time_since_epoch()).count();
}

/// `$XDG_CONFIG_HOME/slipway/logins.json`: tokens by server, for their owner's eyes.
fs::path LoginsFile() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  auto root =
      config != nullptr && *config != '\0' ? fs::path(config) : fs::path(home == nullptr ? "." : home) / ".config";
  return root / "slipway" / "logins.json";
}

json::object ReadLogins() {
  auto text = ReadFile(LoginsFile(), size_t{1} << 20);
  auto value = text ? ParseJson(*text) : Result<json::value>(Failure(text.error()));
  return value && value->is_object() ? value->get_object() : json::object();
}

Result<> WriteLogins(const json::object& logins) {
  auto file = LoginsFile();
  TRY(CreateFolders(file.parent_path()));
  return WriteFileAtomically(file, json::serialize(logins), 0600);
}

Result<json::value> GetJson(const Context& context, const std::string& url) {
  ASSIGN(auto answer, SendHttp({.url = url, .ca_file = context.ca_file}));
  if (answer.status != 200) return Fail(KindOf(answer.status), "{} answered {}", url, answer.status);
  return Wrap(ParseJson(answer.body), url);
}

/// A form to the issuer; its answer, also where that is an error of OAuth 2.0.
Result<json::value> PostForm(const Context& context, const std::string& url, const std::string& form) {
  ASSIGN(auto answer, SendHttp({.method = "POST",
                                .url = url,
                                .headers = {{"Content-Type", "application/x-www-form-urlencoded"}},
                                .body = form,
                                .ca_file = context.ca_file}));
  auto value = ParseJson(answer.body);
  if (!value || !value->is_object()) return Fail(ErrorKind::kUnavailable, "{} answered {}", url, answer.status);
  return value;
}

/// Keeps what the token endpoint gave, for the next command.
Result<> Keep(const Context& context, const JsonObject& answer, const std::string& token_url,
              const std::string& client) {
  ASSIGN(auto token, ReadToken(answer, kDefaultTokenSeconds));
  json::object login{{"token_endpoint", token_url},
                     {"client_id", client},
                     {"access_token", token.access},
                     {"refresh_token", token.refresh},
                     {"expires_at", Now() + static_cast<int64_t>(token.seconds)}};
  auto logins = ReadLogins();
  logins[context.server] = std::move(login);
  return WriteLogins(logins);
}

struct Issuer {
  std::string client, device_url, token_url;
};

/// The server's OpenAPI document says who issues its tokens.
Result<Issuer> FindIssuer(const Context& context) {
  ASSIGN(auto document, GetJson(context, context.server + "/openapi.json"));
  boost::system::error_code missing;
  const auto* scheme = document.find_pointer("/components/securitySchemes/oidc", missing);
  if (scheme == nullptr)
    return Fail(ErrorKind::kUnsupported,
                "{} has no sign-in configured: use a pre-shared key (--psk-file, $SLIPWAY_PSK)", context.server);
  ASSIGN(auto oidc, JsonObject::From(*scheme, "the server's sign-in"));
  Issuer issuer;
  ASSIGN(issuer.client, oidc.String("x-client-id"));
  ASSIGN(auto discovery_url, oidc.String("openIdConnectUrl"));
  ASSIGN(auto discovery, GetJson(context, discovery_url));
  ASSIGN(auto found, JsonObject::From(discovery, discovery_url));
  ASSIGN(issuer.device_url, found.String("device_authorization_endpoint"));
  ASSIGN(issuer.token_url, found.String("token_endpoint"));
  return issuer;
}

/// The device authorization grant, RFC 8628.
Result<> Login(const Context& context) {
  ASSIGN(auto issuer, FindIssuer(context));
  auto client = "client_id=" + UrlEncode(issuer.client);
  ASSIGN(auto started, PostForm(context, issuer.device_url, client + "&scope=openid"));
  ASSIGN(auto device, JsonObject::From(started, "the issuer's answer"));
  if (device.Find("device_code") == nullptr)
    return Fail(ErrorKind::kDenied, "the issuer refuses the client '{}': {}", issuer.client, json::serialize(started));
  ASSIGN(auto code, device.String("device_code"));
  ASSIGN(auto user_code, device.String("user_code"));
  ASSIGN(auto page, device.String("verification_uri"));
  ASSIGN(auto whole_page, device.String("verification_uri_complete", page));
  ASSIGN(auto interval, device.Int("interval", 5));
  ASSIGN(auto lifetime, device.Int("expires_in", 600));
  fmt::print("To sign in, open {}\nor go to {} and enter the code {}\n", whole_page, page, user_code);
  std::fflush(stdout);
  auto form = client + "&grant_type=" + UrlEncode("urn:ietf:params:oauth:grant-type:device_code") +
              "&device_code=" + UrlEncode(code);
  for (auto until = Now() + lifetime; Now() < until;) {
    std::this_thread::sleep_for(std::chrono::seconds(interval));
    ASSIGN(auto answer, PostForm(context, issuer.token_url, form));
    ASSIGN(auto said, JsonObject::From(answer, "the issuer's answer"));
    ASSIGN(auto error, said.String("error", ""));
    if (error.empty()) {
      TRY(Keep(context, said, issuer.token_url, issuer.client));
      fmt::print("Signed in at {}.\n", context.server);
      return {};
    }
    if (error == "slow_down")
      interval += 5;
    else if (error == "access_denied")
      return Fail(ErrorKind::kDenied, "the sign-in was refused");
    else if (error != "authorization_pending")
      return Fail(ErrorKind::kDenied, "the sign-in failed: {}", error);
  }
  return Fail(ErrorKind::kDenied, "nobody signed in within {} seconds: try again", lifetime);
}

Result<> Logout(const Context& context) {
  auto logins = ReadLogins();
  if (logins.erase(context.server) == 0) return Fail(ErrorKind::kNotFound, "nobody is signed in at {}", context.server);
  return WriteLogins(logins);
}

}  // namespace

Result<std::optional<std::string>> StoredToken(const Context& context) {
  auto logins = ReadLogins();
  const auto* stored = logins.if_contains(context.server);
  if (stored == nullptr) return std::nullopt;
  ASSIGN(auto login, JsonObject::From(*stored, LoginsFile().string()));
  ASSIGN(auto token, login.String("access_token"));
  ASSIGN(auto expires_at, login.Int("expires_at"));
  if (Now() < expires_at - kEarly) return token;
  ASSIGN(auto refresh, login.String("refresh_token", ""));
  ASSIGN(auto token_url, login.String("token_endpoint"));
  ASSIGN(auto client, login.String("client_id"));
  ASSIGN(auto answer,
         PostForm(context, token_url,
                  "grant_type=refresh_token&client_id=" + UrlEncode(client) + "&refresh_token=" + UrlEncode(refresh)));
  ASSIGN(auto said, JsonObject::From(answer, "the issuer's answer"));
  if (said.Find("access_token") == nullptr)
    return Fail(ErrorKind::kDenied, "the sign-in at {} has expired: sign in again with slipway login", context.server);
  TRY(Keep(context, said, token_url, client));
  ASSIGN(token, said.String("access_token"));
  return token;
}

void AddLogin(Command& app, Context& context) {
  auto* login = app.add_subcommand("login", "sign in with a browser, on this machine or another");
  login->footer("Example:\n  slipway --server https://slipway.example.com login");
  login->callback([&context] { context.chosen = [&context] { return Login(context); }; });
  auto* logout = app.add_subcommand("logout", "forget the sign-in on this machine");
  logout->callback([&context] { context.chosen = [&context] { return Logout(context); }; });
}

}  // namespace slipway::cli
