#include "server/serve.h"

#include <signal.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iterator>
#include <set>
#include <sstream>
#include <thread>

#include "auth/authenticator.h"
#include "auth/migrations.h"
#include "base/file.h"
#include "base/format.h"
#include "base/log.h"
#include "config/settings.h"
#include "database/schema.h"
#include "deployments/cron.h"
#include "deployments/migrations.h"
#include "deployments/webhook_events.h"
#include "http/server.h"
#include "scoring/run.h"
#include "server/api.h"
#include "server/own_process.h"
#include "server/planner.h"
#include "server/readiness.h"
#include "webhooks/migrations.h"
#include "webhooks/sender.h"

namespace slipway::server {

using namespace slipway::config;

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
    return Fail(ErrorKind::kInvalid, "server.listen must be HOST:PORT, not '{}'", listen);
  if (colon != std::string::npos) address.host = listen.substr(0, colon);
  if (address.host.starts_with('[') && address.host.ends_with(']'))
    address.host = address.host.substr(1, address.host.size() - 2);
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

Result<std::unique_ptr<auth::Oidc>> MakeOidc(const Config& config) {
  if (config.Text("auth.issuer").empty()) return std::unique_ptr<auth::Oidc>();
  const auto& unmarked = config.Text("auth.unmarked_tokens");
  if (unmarked != "accept" && unmarked != "refuse")
    return Fail(ErrorKind::kInvalid, "auth.unmarked_tokens must be accept or refuse, not '{}'", unmarked);
  ASSIGN(auto roles, auth::RolesClaim::Parse(config.Text("auth.roles_claim"), config.Text("auth.client")));
  // Else a key would have other roles than its owner's tokens.
  if (!config.Text("auth.service_client").empty() && config.Text("auth.roles_claim") != auth::RolesClaim::kKeycloak)
    return Fail(
        ErrorKind::kInvalid,
        "auth.service_client looks up Keycloak's roles, which are not those of auth.roles_claim: leave one out");
  return std::make_unique<auth::Oidc>(auth::OidcOptions{.rules = {.issuer = config.Text("auth.issuer"),
                                                                  .audience = config.Text("auth.audience"),
                                                                  .client = config.Text("auth.client"),
                                                                  .roles = std::move(roles),
                                                                  .unmarked = unmarked == "accept"},
                                                        .service_client = config.Text("auth.service_client"),
                                                        .service_secret = config.Text("auth.service_secret"),
                                                        .refresh_seconds = config.Number("auth.refresh_seconds"),
                                                        .renew_seconds = config.Number("auth.renew_keys_seconds"),
                                                        .oldest_days = config.Number("auth.keys_idle_days")});
}

auth::KeyRules KeyRulesOf(const Config& config) {
  return {.days = config.Number("auth.keys_days"),
          .most_days = std::max(config.Number("auth.keys_days"), config.Number("auth.keys_days_most")),
          .most = config.Number("auth.keys_most"),
          .idle_days = config.Number("auth.keys_idle_days")};
}

/// Keys of a version whose keys had no end.
Result<> DateKeys(auth::UserKeys& keys) {
  ASSIGN(auto dated, keys.DateUndated());
  if (dated > 0)
    Log(LogLevel::kWarning, "keys_dated",
        {{"keys", std::to_string(dated)},
         {"advice",
          fmt::format("they had no expiry, and expire in {} days from now (auth.keys_days): their owners make "
                      "others until then",
                      keys.rules().days)}});
  return {};
}

deployments::Subscriptions SubscriptionsOf(const std::vector<webhooks::Webhook>& webhooks) {
  deployments::Subscriptions subscriptions;
  for (const auto& webhook : webhooks) subscriptions[webhook.name] = webhook.events;
  return subscriptions;
}

/// How people sign in, where they can.
std::optional<Login> LoginOf(const Config& config) {
  if (config.Text("auth.issuer").empty()) return std::nullopt;
  return Login{config.Text("auth.issuer"), config.Text("auth.login_client")};
}

/// The connections that are asked for, as far as `files` open files allow: runs, models and the store need some too.
int ConnectionsOf(const Config& config, int files) {
  constexpr int kOtherFiles = 200;
  int asked = std::max(1, config.Number("server.connections")), most = std::max(files - kOtherFiles, files / 2);
  if (asked > most)
    Log(LogLevel::kWarning, "connections_limited",
        {{"asked", std::to_string(asked)},
         {"allowed", std::to_string(most)},
         {"advice", "raise the limit of open files (ulimit -n, LimitNOFILE)"}});
  return std::min(asked, most);
}

http::Limits LimitsOf(const Config& config, int files) {
  return {.header_seconds = std::max(1, config.Number("server.header_seconds")),
          .read_seconds = config.Number("server.read_seconds"),
          .answer_seconds = std::max(1, config.Number("server.answer_seconds")),
          .threads = std::max(1, config.Number("server.threads")),
          .queue = config.Number("server.queue"),
          .connections = ConnectionsOf(config, files),
          .loopback_only = config.Text("auth.issuer").empty(),
          .insecure = config.Text("server.insecure") == "yes"};
}

/// What server.insecure says; it is said aloud at each start. Without it an issuer by plain HTTP is refused: whoever is
/// on the way to it could sign tokens for anybody.
Result<> CheckSecurity(const Config& config) {
  const auto& text = config.Text("server.insecure");
  if (text != "yes" && text != "no")
    return Fail(ErrorKind::kInvalid, "server.insecure must be yes or no, not '{}'", text);
  if (text == "yes")
    Log(LogLevel::kWarning, "insecure",
        {{"setting", "server.insecure"},
         {"advice", "keys and tokens are safe only where something in front of this server encrypts"}});
  const auto& issuer = config.Text("auth.issuer");
  if (text == "yes" || !issuer.starts_with("http://")) return {};
  auto host = issuer.substr(7, issuer.find_first_of("/?#", 7) - 7);
  host = host.starts_with('[') ? host.substr(1, host.find(']') - 1) : host.substr(0, host.rfind(':'));
  if (host == "localhost" || host == "::1" || (host.starts_with("127.") && host.find('@') == std::string::npos))
    return {};
  return Fail(ErrorKind::kInvalid,
              "auth.issuer {} is neither https:// nor on this machine: use https:// or, where the way to it is safe, "
              "server.insecure = \"yes\"",
              issuer);
}

Result<LogRequests> LogRequestsOf(const Config& config) {
  const auto& text = config.Text("server.log_requests");
  if (text == "all") return LogRequests::kAll;
  if (text == "changes") return LogRequests::kChanges;
  if (text == "none") return LogRequests::kNone;
  return Fail(ErrorKind::kInvalid, "server.log_requests must be all, changes or none, not '{}'", text);
}

Result<Rights> MakeRights(const Config& config, const scoring::Places& places, Database& database,
                          auth::UserKeys& people, auth::ServiceAccounts& services) {
  Rights::Options options{.admin_role = config.Text("auth.admin_role"), .contact = config.Text("access.contact")};
  ASSIGN(options.rules, AccessRulesOf(config, places));
  ASSIGN(options.mode, Rights::StandardMode(database));
  const auto& mode = config.Text("access.mode");
  if (mode == "warn") options.mode = Rights::Mode::kWarn;
  if (mode == "enforce") options.mode = Rights::Mode::kEnforce;
  if (!mode.empty() && mode != "warn" && mode != "enforce")
    return Fail(ErrorKind::kInvalid, "access.mode must be warn or enforce, not '{}'", mode);
  if (config.Text("auth.issuer").empty() && options.rules.empty()) options.mode = Rights::Mode::kOff;
  return Rights(std::move(options), people, services);
}

Result<AsCaller::Options> AsCallerOf(const Config& config, const scoring::Places& places) {
  AsCaller::Options options{.exchange = {config.Text("access.exchange_url"), config.Text("access.exchange_client"),
                                         config.Text("access.exchange_secret"), config.Text("access.exchange_scope")},
                            .audience = config.Text("access.exchange_audience")};
  const auto& mode = config.Text("access.as_caller");
  if (mode == "no") return options;
  if (mode != "forward" && mode != "exchange")
    return Fail(ErrorKind::kInvalid, "access.as_caller must be no, forward or exchange, not '{}'", mode);
  options.mode = mode == "forward" ? AsCaller::Mode::kForward : AsCaller::Mode::kExchange;
  if (mode == "exchange" && (options.exchange.token_url.empty() || options.exchange.client_id.empty()))
    return Fail(ErrorKind::kInvalid, "access.as_caller is exchange, but access.exchange_{} is not set",
                options.exchange.token_url.empty() ? "url" : "client");
  std::istringstream words(config.Text("access.as_caller_catalogs"));
  std::set<std::string> named{std::istream_iterator<std::string>(words), {}};
  bool all = named.empty();
  for (const auto& place : places.catalogs)
    if (place.kind == "rest" && (named.erase(place.name) == 1 || all)) options.catalogs.push_back(place);
  if (!named.empty())
    return Fail(ErrorKind::kInvalid, "access.as_caller_catalogs: '{}' is no REST catalog", *named.begin());
  return options;
}

/// What a dispatcher is made of.
struct Dispatching {
  const ServeOptions& options;
  const std::string& data_dir;
  const scoring::Places& places;
  const scoring::Sources& sources;
  const scoring::Secrets& secrets;
  Database& database;
  deployments::Store& store;
  const Clock& clock;
  deployments::RunEnded ended;
  dispatch::RunTokenMaker run_token;
  deployments::MayRun may_run;
};

Result<std::unique_ptr<deployments::Dispatcher>> MakeDispatcher(const Dispatching& parts,
                                                                const deployments::RunnerScope& scope) {
  const auto& config = parts.options.config;
  if (scope.kind == deployments::RunnerKind::kAirflow) {
    ASSIGN(auto airflow, AirflowDispatchOf(config, parts.places));
    airflow.scope = scope;
    airflow.catalogs = &parts.sources.catalogs;
    airflow.other = {parts.options.program, ScoringEnvironment(parts.secrets, parts.options.environment)};
    airflow.ended = parts.ended;
    airflow.run_token = parts.run_token;
    airflow.may_run = parts.may_run;
    return dispatch::MakeAirflowDispatcher(parts.store, parts.clock, std::move(airflow));
  }
  ASSIGN(auto local, LocalDispatchOf(config, parts.places));
  local.scope = scope;
  local.catalogs = &parts.sources.catalogs;
  local.program = parts.options.program;
  local.data_dir = parts.data_dir;
  local.shared = parts.database.dialect().postgresql;
  local.environment = ScoringEnvironment(parts.secrets, parts.options.environment);
  local.ended = parts.ended;
  local.may_run = parts.may_run;
  return dispatch::MakeLocalDispatcher(parts.store, parts.clock, std::move(local));
}

/// The runners that the configuration names.
class Dispatchers {
 public:
  static Result<Dispatchers> Make(const Dispatching& parts) {
    ASSIGN(auto kinds, RunnersOf(parts.options.config));
    Dispatchers made;
    made.runners_.standard = kinds.front();
    for (auto kind : kinds) {
      ASSIGN(auto dispatcher, MakeDispatcher(parts, {kind, kind == kinds.front()}));
      made.runners_.dispatchers[kind] = dispatcher.get();
      made.all_.push_back(std::move(dispatcher));
    }
    return made;
  }
  const deployments::Runners& runners() const { return runners_; }
  void Start() const {
    for (const auto& dispatcher : all_) dispatcher->Start();
  }
  void Stop() const {
    for (const auto& dispatcher : all_) dispatcher->Stop();
  }
  double SecondsSinceLastRound() const {
    double longest = 0;
    for (const auto& dispatcher : all_) longest = std::max(longest, dispatcher->SecondsSinceLastRound());
    return longest;
  }

 private:
  std::vector<std::unique_ptr<deployments::Dispatcher>> all_;
  deployments::Runners runners_;
};

/// Every table of the program. The number of a new migration is one more than the highest of all folders: 50.
std::vector<Migration> AllMigrations() {
  return AllOf(deployments::Migrations(), auth::Migrations(), webhooks::Migrations(), AuditLog::Migrations(),
               Rights::Migrations());
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
  TRY(CheckSecurity(config));
  auto data_dir = std::filesystem::absolute(options.data_dir).lexically_normal().string();
  if (data_dir.ends_with('/')) data_dir.pop_back();
  KeepFilesToOurselves();
  TRY(OpenDataFolder(data_dir));
  ASSIGN(auto lock, Wrap(FileLock::TryTake(data_dir + "/server.lock"), "another server uses this data directory"));
  ASSIGN(auto platform_keys,
         auth::PlatformKeys::Open(TextOr(config, "auth.platform_psk_file", data_dir + "/platform.psk")));
  ASSIGN(auto places, PlacesOf(config, data_dir));
  auto secrets = SecretsOf(config, options.environment);
  ASSIGN(auto sources, scoring::OpenSources(ForPlanning(places), secrets));
  ASSIGN(auto database, Database::Open(TextOr(config, "store.location", data_dir + "/slipway.db"), AllMigrations()));
  ServerClock clock(config.Number("clock.speed"));
  SystemClock system_clock;  // tokens are judged by it
  ASSIGN(auto webhooks, WebhooksOf(config));
  deployments::Store store(*database, deployments::AnnounceToWebhooks(*database, SubscriptionsOf(webhooks)),
                           std::max(1, config.Number("dispatch.queued_runs")));
  webhooks::Outbox outbox(*database);
  webhooks::Sender sender(outbox, std::move(webhooks), system_clock);
  auth::UserKeys user_keys(*database, system_clock, KeyRulesOf(config));
  auth::ServiceAccounts service_accounts(*database);
  TRY(DateKeys(user_keys));
  AuditLog audit(*database);
  ASSIGN(auto oidc, MakeOidc(config));
  ASSIGN(auto rights, MakeRights(config, places, *database, user_keys, service_accounts));
  if (auto told = rights.TellWhatIsRefused(store); !told)
    Log(LogLevel::kError, "access_not_told", {{"error", told.error().message}});
  ASSIGN(auto as_caller_options, AsCallerOf(config, places));
  AsCaller as_caller(std::move(as_caller_options), sources.catalogs);
  auth::RunTokens run_tokens(*database, system_clock, config.Number("auth.run_token_hours") * 3600);
  auth::Authenticator authenticator({.platform = *platform_keys,
                                     .users = user_keys,
                                     .runs = run_tokens,
                                     .oidc = oidc.get(),
                                     .clock = system_clock,
                                     .admin_role = config.Text("auth.admin_role")});

  ASSIGN(auto zone, deployments::FindTimeZone(config.Text("dispatch.time_zone")));
  Metrics metrics;
  ASSIGN(
      auto dispatchers,
      Dispatchers::Make({options, data_dir, places, sources, secrets, *database, store, clock,
                         [&](const auto& run, const auto& seconds) { CountRun(metrics, run, seconds); },
                         [&](const deployments::Run& run) { return run_tokens.Issue({run.deployment_id, run.run_id}); },
                         [&](const auto& deployment) { return rights.RequireOf(deployment); }}));
  auto use_store = [&]() -> Result<> {
    TRY(Measure(metrics, store, outbox, clock));
    return Wrap(store.CheckWritable(), "writing");
  };
  std::vector<Readiness::Check> checks = {{"store", use_store}, {"disk", [&] { return CheckDisk(data_dir); }}};
  Readiness readiness(std::move(checks));
  auto check = [&]() -> Result<> {
    TRY(readiness.Now());
    if (oidc) TRY(Wrap(oidc->Ready(), "issuer"));
    if (dispatchers.SecondsSinceLastRound() > 300)
      return Fail(ErrorKind::kUnavailable, "the dispatcher has not gone round for five minutes");
    return {};
  };
  ASSIGN(auto log_requests, LogRequestsOf(config));
  ASSIGN(auto proxies, http::TrustedProxies::Parse(config.Text("server.trusted_proxies")));
  Api api({store,
           rights,
           as_caller,
           authenticator,
           user_keys,
           service_accounts,
           audit,
           metrics,
           dispatchers.runners(),
           outbox,
           MakePlanner(sources, clock, places, RunLimitsOf(config),
                       {options.program, ScoringEnvironment(secrets, options.environment)}),
           clock,
           zone,
           check,
           LoginOf(config),
           log_requests,
           config.Number("server.requests_per_minute"),
           static_cast<size_t>(std::max(1, config.Number("server.threads") - 2)),
           static_cast<size_t>(std::max(0, config.Number("server.queue"))),
           std::move(proxies)});
  http::TlsFiles tls{config.Text("server.tls_certificate"), config.Text("server.tls_key")};
  if (oidc) oidc->AwaitFirst();
  auto answer = [&](http::Exchange& exchange) { return api.Answer(exchange); };
  ASSIGN(auto http, http::Server::Listen(address.host, address.port, LimitsOf(config, RaiseFileLimit()), tls, answer));
  dispatchers.Start();
  std::jthread stopper([&](const std::stop_token& done) {
    timespec pause{0, 100'000'000};
    while (!done.stop_requested())
      if (sigtimedwait(&signals, nullptr, &pause) > 0) return http->Stop();
  });
  ready(fmt::format("{}://{}:{}", tls.certificate.empty() ? "http" : "https",
                    address.host.find(':') == std::string::npos ? address.host : "[" + address.host + "]",
                    http->port()));
  Log(LogLevel::kInfo, "server_started", {{"data_dir", data_dir}, {"port", std::to_string(http->port())}});
  http->Run();
  dispatchers.Stop();
  Log(LogLevel::kInfo, "server_stopped");
  return {};
}

}  // namespace slipway::server
