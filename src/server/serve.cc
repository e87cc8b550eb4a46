#include "server/serve.h"

#include <signal.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>
#include <thread>

#include "auth/authenticator.h"
#include "base/file.h"
#include "base/format.h"
#include "base/log.h"
#include "base/s3.h"
#include "database/database.h"
#include "dispatch/cron.h"
#include "scoring/run.h"
#include "server/api.h"
#include "webhooks/sender.h"

namespace slipway::server {

namespace {

struct Address {
  std::string host;
  int port = 0;
};

Result<Address> ParseAddress(const std::string& listen) {
  Address address{"127.0.0.1", 0};
  auto colon = listen.rfind(':');
  auto port = listen.substr(colon == std::string::npos ? 0 : colon + 1);
  auto [end, code] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (code != std::errc{} || end != port.data() + port.size() || address.port < 0 || address.port > 65535)
    return Fail(ErrorKind::kInvalid, "server.listen wants HOST:PORT, not '{}'", listen);
  if (colon != std::string::npos) address.host = listen.substr(0, colon);
  if (address.host.starts_with('[') && address.host.ends_with(']')) address.host = address.host.substr(1, address.host.size() - 2);
  return address;
}

/// The system's clock, or for tests one that has run faster since 2024: several servers agree on it.
class ServerClock final : public Clock {
 public:
  explicit ServerClock(int speed) : speed_(speed) {}
  Timestamp Now() const override {
    auto now = SystemClock().Now();
    if (speed_ <= 1) return now;
    constexpr Timestamp kOrigin{sys_days{std::chrono::year{2024} / 1 / 1}};
    return kOrigin + (now - kOrigin) * speed_;
  }

 private:
  int speed_;
};

std::unique_ptr<auth::Oidc> MakeOidc(const Config& config) {
  if (config.Text("auth.issuer").empty()) return nullptr;
  return std::make_unique<auth::Oidc>(auth::OidcOptions{
      .rules = {.issuer = config.Text("auth.issuer"), .audience = config.Text("auth.audience"), .client = config.Text("auth.client")},
      .service_client = config.Text("auth.service_client"),
      .service_secret = config.Text("auth.service_secret"),
      .refresh_seconds = config.Number("auth.refresh_seconds")});
}

std::string Or(const std::string& text, const std::string& fallback) { return text.empty() ? fallback : text; }

scoring::Places PlacesOf(const Config& config, const std::string& data_dir) {
  auto places = scoring::Places::In(data_dir);
  places.catalog_file = Or(config.Text("catalog.file"), places.catalog_file);
  places.warehouse = Or(config.Text("catalog.warehouse"), places.warehouse);
  places.registry.location = Or(config.Text("registry.location"), places.registry.location);
  places.registry.cache_bytes = int64_t{config.Number("registry.cache_mib")} << 20;
  return places;
}

/// The configured ones, else those that MLflow's own client would take.
registry::RegistryCredentials CredentialsOf(const Config& config, const std::map<std::string, std::string>& environment) {
  auto text = [&](const char* setting, const char* variable) {
    auto found = environment.find(variable);
    return Or(config.Text(setting), found == environment.end() ? "" : found->second);
  };
  return {text("registry.username", "MLFLOW_TRACKING_USERNAME"), text("registry.password", "MLFLOW_TRACKING_PASSWORD"),
          text("registry.token", "MLFLOW_TRACKING_TOKEN")};
}

/// What a scoring process needs to reach the registry and S3; nothing else of the server's environment reaches it.
std::vector<std::string> ScoringEnvironment(const registry::RegistryCredentials& credentials,
                                            const std::map<std::string, std::string>& environment) {
  std::vector<std::string> passed;
  for (const char* name : kS3Environment)
    if (auto found = environment.find(name); found != environment.end()) passed.push_back(found->first + "=" + found->second);
  if (!credentials.username.empty()) passed.push_back("MLFLOW_TRACKING_USERNAME=" + credentials.username);
  if (!credentials.password.empty()) passed.push_back("MLFLOW_TRACKING_PASSWORD=" + credentials.password);
  if (!credentials.token.empty()) passed.push_back("MLFLOW_TRACKING_TOKEN=" + credentials.token);
  return passed;
}

Result<std::vector<webhooks::Webhook>> WebhooksOf(const Config& config) {
  std::vector<webhooks::Webhook> found;
  for (const auto& name : config.Names("webhooks")) {
    auto key = "webhooks." + name + ".";
    webhooks::Webhook webhook{name, config.Text(key + "url"),        config.Text(key + "secret"),
                              {},   config.Number(key + "attempts"), config.Number(key + "pause_seconds")};
    if (!webhook.url.starts_with("http://") && !webhook.url.starts_with("https://"))
      return Fail(ErrorKind::kInvalid, "{}url must be http://… or https://…, not '{}'", key, webhook.url);
    if (webhook.secret.empty()) return Fail(ErrorKind::kInvalid, "{}secret is missing: what is sent is signed with it", key);
    std::istringstream words(config.Text(key + "events"));
    for (std::string event; words >> event;) {
      if (!event.starts_with("run.") || !deployments::ParseRunStatus(event.substr(4)))
        return Fail(ErrorKind::kInvalid, "{}events: there is no event '{}'", key, event);
      webhook.events.insert(event);
    }
    found.push_back(std::move(webhook));
  }
  return found;
}

deployments::Subscriptions SubscriptionsOf(const std::vector<webhooks::Webhook>& webhooks) {
  deployments::Subscriptions subscriptions;
  for (const auto& webhook : webhooks) subscriptions[webhook.name] = webhook.events;
  return subscriptions;
}

Result<LogRequests> LogRequestsOf(const Config& config) {
  const auto& text = config.Text("server.log_requests");
  if (text == "all") return LogRequests::kAll;
  if (text == "changes") return LogRequests::kChanges;
  if (text == "none") return LogRequests::kNone;
  return Fail(ErrorKind::kInvalid, "server.log_requests is all, changes or none, not '{}'", text);
}

Result<dispatch::DispatchOptions> DispatchingOf(const ServeOptions& options, const std::string& data_dir, const scoring::Places& places,
                                                bool shared) {
  const auto& config = options.config;
  dispatch::DispatchOptions dispatching{.program = options.program, .data_dir = data_dir, .places = places};
  dispatching.processes = config.Number("dispatch.processes");
  dispatching.attempts = config.Number("dispatch.attempts");
  dispatching.lease_seconds = std::max(1, config.Number("dispatch.lease_seconds"));
  dispatching.shared = shared;
  const auto& catch_up = config.Text("dispatch.catch_up");
  if (catch_up != "latest" && catch_up != "all") return Fail(ErrorKind::kInvalid, "dispatch.catch_up is latest or all, not '{}'", catch_up);
  dispatching.every_missed_tick = catch_up == "all";
  ASSIGN(dispatching.zone, dispatch::FindTimeZone(config.Text("dispatch.time_zone")));
  return dispatching;
}

}  // namespace

Result<> Serve(const ServeOptions& options, const std::function<void(const std::string& url)>& ready) {
  // Blocked here, before any thread starts, so that the waiting thread alone takes them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  const auto& config = options.config;
  ASSIGN(auto address, ParseAddress(config.Text("server.listen")));
  auto data_dir = std::filesystem::absolute(options.data_dir).lexically_normal().string();
  if (data_dir.ends_with('/')) data_dir.pop_back();
  TRY(CreateFolders(data_dir));
  ASSIGN(auto lock, Wrap(FileLock::TryTake(data_dir + "/server.lock"), "another server uses this data directory"));
  ASSIGN(auto platform_keys, auth::PlatformKeys::Open(Or(config.Text("auth.platform_psk_file"), data_dir + "/platform.psk")));
  auto places = PlacesOf(config, data_dir);
  auto credentials = CredentialsOf(config, options.environment);
  ASSIGN(auto sources, scoring::OpenSources(places, credentials));
  ASSIGN(auto database, Database::Open(Or(config.Text("store.location"), data_dir + "/slipway.db")));
  ServerClock clock(config.Number("clock.speed"));
  SystemClock system_clock;  // tokens are judged by it
  ASSIGN(auto webhooks, WebhooksOf(config));
  deployments::Store store(*database, SubscriptionsOf(webhooks));
  webhooks::Outbox outbox(*database);
  webhooks::Sender sender(outbox, std::move(webhooks), system_clock);
  auth::UserKeys user_keys(*database);
  AuditLog audit(*database);
  auto oidc = MakeOidc(config);
  auth::Authenticator authenticator(*platform_keys, user_keys, oidc.get(), config.Text("auth.admin_role"), system_clock);

  ASSIGN(auto dispatching, DispatchingOf(options, data_dir, places, database->dialect().postgresql));
  dispatching.environment = ScoringEnvironment(credentials, options.environment);
  Api* counted = nullptr;
  dispatching.ended = [&](const auto& run, const auto& seconds) { counted->CountRun(run, seconds); };
  dispatch::Dispatcher dispatcher(store, clock, dispatching);
  auto check = [&]() -> Result<> {
    TRY(Wrap(store.CountRuns(deployments::RunStatus::kRunning), "store"));
    if (oidc) TRY(Wrap(oidc->Ready(), "issuer"));
    if (dispatcher.SecondsSinceLastRound() > 60) return Fail(ErrorKind::kUnavailable, "the dispatcher has not gone round for a minute");
    return {};
  };
  ASSIGN(auto log_requests, LogRequestsOf(config));
  std::optional<Login> login;
  if (oidc) login = Login{config.Text("auth.issuer"), config.Text("auth.login_client")};
  Api api({store, authenticator, user_keys, audit, dispatcher, outbox, sources, clock, dispatching.zone, check, login, log_requests});
  counted = &api;
  TlsFiles tls{config.Text("server.tls_certificate"), config.Text("server.tls_key")};
  HttpLimits limits{.read_seconds = config.Number("server.read_seconds"),
                    .threads = std::max(1, config.Number("server.threads")),
                    .queue = config.Number("server.queue"),
                    .connections = std::max(1, config.Number("server.connections")),
                    .loopback_only = oidc == nullptr};
  ASSIGN(auto http,
         HttpServer::Listen(address.host, address.port, limits, tls, [&](const Request& request) { return api.Answer(request); }));
  dispatcher.Start();
  std::jthread stopper([&](const std::stop_token& done) {
    timespec pause{0, 100'000'000};
    while (!done.stop_requested())
      if (sigtimedwait(&signals, nullptr, &pause) > 0) return http->Stop();
  });
  ready(fmt::format("{}://{}:{}", tls.certificate.empty() ? "http" : "https",
                    address.host.find(':') == std::string::npos ? address.host : "[" + address.host + "]", http->port()));
  Log(LogLevel::kInfo, "server_started", {{"data_dir", data_dir}, {"port", std::to_string(http->port())}});
  http->Run();
  dispatcher.Stop();  // it tells the API of runs that end
  Log(LogLevel::kInfo, "server_stopped");
  return {};
}

}  // namespace slipway::server
