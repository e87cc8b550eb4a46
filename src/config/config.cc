#include "config/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <sstream>

#include "base/file.h"
#include "base/format.h"
#include "base/json.h"

namespace slipway::config {
namespace {

constexpr std::string_view kOfFile = "_file";  // behind the name of a setting that may hold a secret
constexpr size_t kLargestSecret = size_t{1} << 16;

std::vector<Setting> Defaults() {
  auto text = [](std::string name, std::string value, std::string help) {
    return Setting{std::move(name), std::move(value), "default", false, false, std::move(help)};
  };
  auto number = [](std::string name, int value, std::string help) {
    return Setting{std::move(name), std::to_string(value), "default", false, true, std::move(help)};
  };
  auto secret = [](std::string name, std::string help) {
    return Setting{std::move(name), "", "default", true, false, std::move(help)};
  };
  auto list = [](std::string name, std::string help) {
    return Setting{std::move(name), "[]", "default", false, false, std::move(help), true};
  };
  std::vector<Setting> settings{
      text("server.listen", "127.0.0.1:8080", "HOST:PORT; without sign-in, loopback only; port 0 takes a free one"),
      number("server.threads", 8, "requests handled at once; one caller may have all but two of them"),
      number("server.queue", 256, "requests that may wait, of all and of one caller; more are answered 429"),
      number("server.header_seconds", 5, "for a request's head to arrive"),
      number("server.read_seconds", 30, "for a body to arrive, an answer to be taken, the next request to come"),
      number("server.answer_seconds", 60, "for an answer to be found; then it is 503"),
      number("server.requests_per_minute", 6000, "of one person; more are answered 429; 0: any"),
      number("server.connections", 1024,
             "open at once; for one more, the one is closed that has waited longest for its client"),
      text("server.tls_certificate", "",
           "a PEM file with the chain; with it and the key the server speaks HTTPS; read again when it changes"),
      text("server.tls_key", "", "the PEM file with the certificate's key"),
      text("server.insecure", "no",
           "yes: without TLS beyond loopback, and an issuer by http://, where something in front of it encrypts"),
      text("server.trusted_proxies", "",
           "addresses and networks (10.0.0.0/8) whose X-Forwarded-For says who asks; separated by spaces"),
      text("server.log_requests", "changes", "all, changes (and what failed), or none"),
      text("store.location", "", "postgresql://…, or a SQLite file; empty: slipway.db in the data directory"),
      text("catalogs.*.kind", "rest", "rest: an Iceberg REST catalog; sql: PyIceberg's tables in a database"),
      text("catalogs.*.uri", "", "of a REST catalog http(s)://…; of a sql catalog postgresql://… or sqlite:///…"),
      text("catalogs.*.warehouse", "",
           "sql: the location of new tables (s3://…, file://…); rest: the warehouse to ask for, if any"),
      secret("catalogs.*.credential", "rest: OAuth2 client credentials, client-id:secret"),
      secret("catalogs.*.token", "rest: a bearer token instead"),
      text("catalogs.*.oauth2_server_uri", "",
           "rest: where client credentials become tokens; empty: the catalog's own endpoint"),
      text("catalogs.*.scope", "catalog", "rest: the scope of the token"),
      secret("catalogs.*.password", "sql: the database's password"),
      text("catalogs.*.allowed_prefixes", "",
           "folders outside of the warehouse that its tables may name, separated by spaces: s3://bucket/folder "
           "file:///…"),
      text("catalog.file", "",
           "the SQLite file of the embedded catalog 'iceberg'; empty: catalog.db in the data directory"),
      text("catalog.warehouse", "", "the folder of new tables; empty: warehouse in the data directory"),
      text("catalog.allowed_prefixes", "", "folders outside of it that its tables may name, separated by spaces"),
      number("tables.metadata_mib", 256, "the largest metadata.json that is read"),
      number("tables.manifests", 100'000, "the most manifests that a snapshot may have"),
      number("tables.data_files", 2'000'000, "the most data files that a snapshot may have"),
      text("registry.location", "",
           "mlflow+http://… of an MLflow server, or a folder; empty: models in the data directory"),
      text("registry.username", "", "for an MLflow server with basic authentication"),
      secret("registry.password", "its password"),
      secret("registry.token", "a bearer token for an MLflow server"),
      number("registry.cache_mib", 10240, "what downloaded models may take on the disk"),
      text("python.interpreter", "", "a Python with mlflow and what models need; empty: the wheel's own, or python3"),
      text("python.environment", "interpreter",
           "model: an environment made from the model's own requirements, by pip, once for all that ask for the same"),
      number("python.environment_seconds", 1800, "the longest that making one may take"),
      text("python.check", "registration",
           "first-run: compare native engines with mlflow.pyfunc before a model's first run too, as for models of an "
           "MLflow server"),
      text("python.network", "no", "yes: models may open sockets"),
      text("python.readable", "",
           "files and folders that models may read beside their own and the interpreter's: /opt/lookup:/srv/words"),
      text("python.writable", "", "those that models may change too; /dev/shm: multiprocessing's locks"),
      text("python.user", "", "of whom models' processes are, where the server is root; empty: of the server's user"),
      text("python.cgroup", "",
           "a cgroup (version 2) that was delegated to the server's user: the kernel holds models to their limits "
           "there"),
      number("python.memory_mib", 4096, "the memory of one process of a model that Python scores, and all it starts"),
      number("python.disk_mib", 4096, "what such a process may write into its folder"),
      number("python.tasks", 512, "processes and threads of such a process"),
      number("python.output_mib", 10, "what the models of a run may print; more is cut off"),
      number("python.batch_seconds", 600, "the longest that one batch may take"),
      number("python.load_seconds", 300, "the longest that loading a model may take"),
      number("python.processes", 0, "processes of one run; 0: one for each core"),
      text("auth.issuer", "", "the URL of the realm, or of another OpenID Connect issuer; empty: tokens are refused"),
      text("auth.audience", "slipway", "the audience that tokens must name"),
      text("auth.client", "slipway", "the client whose roles count beside the realm's"),
      text("auth.roles_claim", "realm_access.roles resource_access.{client}.roles",
           "where tokens hold roles: dotted paths or JSON Pointers, spaces between; groups or roles for other issuers"),
      text("auth.login_client", "slipway-cli", "the public client of `slipway login`"),
      text("auth.admin_role", "slipway-admin", "the role that may manage every deployment"),
      text("auth.service_client", "", "a service account that may view users, for live roles of user keys"),
      secret("auth.service_secret", "its secret"),
      text("auth.unmarked_tokens", "refuse",
           "accept: tokens may leave out that they are access tokens (typ), of issuers that mark none"),
      number("auth.renew_keys_seconds", 600, "how often the issuer's keys are fetched anew, so that withdrawn ones go"),
      number("auth.keys_days", 90, "how long user keys work, where they do not say"),
      number("auth.keys_days_most", 366, "how long one may say"),
      number("auth.keys_most", 20, "keys of one person, or service account, that work at a time"),
      number("auth.keys_idle_days", 30,
             "user keys stop when their owner has shown no token, nor the issuer them, for so long; 0: never"),
      number("auth.refresh_seconds", 60, "how old looked-up roles may be, and how often an unknown key is asked for"),
      number("auth.run_token_hours", 24, "how long a worker may tell of a run that it was given, by that run's token"),
      text("auth.platform_psk_file", "", "the file with the platform PSK; empty: platform.psk in the data directory"),
      text(
          "access.mode", "",
          "enforce: what no rule allows is refused; warn: it is logged; empty: warn for a store from before there were "
          "rules, else enforce"),
      list("access.rules", "which roles may touch which tables and models: [[access.rules]] in a file, else JSON"),
      text("access.contact", "", "whom to ask for a right, as refusals name it: an address, a channel"),
      text(
          "access.as_caller", "no",
          "source and target are also loaded from REST catalogs with the caller's own token: no, forward (as it came), "
          "or exchange (for one of the catalog's, RFC 8693)"),
      text("access.as_caller_catalogs", "", "the REST catalogs that are; empty: all of them"),
      text("access.exchange_url", "", "exchange: the issuer's token endpoint"),
      text("access.exchange_client", "", "exchange: the client that Slipway is there"),
      secret("access.exchange_secret", "its secret"),
      text("access.exchange_audience", "", "exchange: whom the tokens are for, such as the catalog's client"),
      text("access.exchange_scope", "", "exchange: the scope to ask for, if any"),
      text("server.public_url", "", "of this server as Airflow's workers reach it, for their callbacks"),
      text("dispatch.kind", "local",
           "what executes runs: local (this server's clock and processes), airflow (DAGs), or both, the default first"),
      number("dispatch.processes", 1, "local: runs at once"),
      number("dispatch.run_seconds", 86400, "the longest that a run may take, where its deployment names no timeout"),
      number("dispatch.memory_mib", 4096, "the memory of a run's own process; 0: as much as there is"),
      number("dispatch.queued_runs", 1000, "that a deployment may have, but for those of its schedule; more are 409"),
      number("dispatch.attempts", 3, "how often a run whose process was lost is tried"),
      number("dispatch.retries", 4,
             "how often a run is tried again that failed since something was away, where its deployment says nothing"),
      number("dispatch.retry_seconds", 15, "the pause before the first of these; it doubles, up to an hour"),
      number("dispatch.lease_seconds", 30, "after this long without a word, a server's runs are taken over"),
      text("dispatch.catch_up", "latest", "ticks missed while all was down: latest, or all"),
      text("dispatch.time_zone", "UTC", "the time zone of schedules: a name of the IANA database"),
      text("airflow.url", "", "Airflow's web server (API v2 of Airflow 3, or v1 of 2.10)"),
      text("airflow.username", "", "the user that Slipway is to Airflow"),
      secret("airflow.password", "their password"),
      secret("airflow.token", "a token of Airflow 3 instead"),
      text("airflow.dags", "", "the folder of DAGs that Airflow watches: s3://bucket/prefix, or file:///…"),
      number("airflow.retries", 2, "how often a task that failed is tried again, where its deployment says nothing"),
      number("airflow.retry_seconds", 60, "the pause between a task's tries, likewise"),
      number("airflow.parse_seconds", 600, "a DAG that Airflow has not parsed after this long is reported"),
      number("airflow.check_seconds", 60, "how often the DAGs' files are compared with what they should be"),
      number("airflow.poll_seconds", 5, "how often Airflow is asked what has changed"),
      text("webhooks.*.url", "", "what is told of runs: http(s)://…"),
      secret("webhooks.*.secret", "signs what is sent (Standard Webhooks): whsec_… or any text"),
      text(
          "webhooks.*.events", "run.succeeded run.failed",
          "run.queued, run.running, run.succeeded, run.failed; run.warning: it succeeded, and may have lost something"),
      number("webhooks.*.attempts", 12, "attempts before a delivery becomes a dead letter"),
      number("webhooks.*.pause_seconds", 5,
             "the pause before the second attempt; each later one is three times longer, an hour at most"),
      number("clock.speed", 1, "for tests: how many times faster the server's clock runs since 2024-01-01"),
  };
  for (size_t i = 0; i < settings.size(); ++i) {
    const auto name = settings[i].name;
    if (!settings[i].secret && name != "store.location") continue;
    auto file = text(name + std::string(kOfFile), "", "a file that holds " + name + ", in its place");
    settings.insert(settings.begin() + static_cast<std::ptrdiff_t>(++i), std::move(file));
  }
  return settings;
}

std::string EnvironmentName(const std::string& name) {
  std::string text = "SLIPWAY_";
  for (unsigned char c : name) text += c == '.' ? '_' : static_cast<char>(std::toupper(c));
  return text;
}

/// What may stand for a star.
bool IsName(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) {
    return std::islower(c) || std::isdigit(c) || c == '_' || c == '-';
  });
}

bool IsNumber(const std::string& text) {
  int value = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && code == std::errc{} && end == text.data() + text.size() && value >= 0;
}

}  // namespace

Config::Config() : settings_(Defaults()) {}

/// A name that a star stands for comes to be when it is first asked for, with all settings beside it.
Setting* Config::Find(const std::string& name) {
  auto exact = [&]() -> Setting* {
    auto found = std::ranges::find(settings_, name, &Setting::name);
    return found == settings_.end() || name.find('*') != std::string::npos ? nullptr : &*found;
  };
  if (auto* found = exact()) return found;
  auto first = name.find('.'), last = name.rfind('.');
  if (first == std::string::npos || first == last || !IsName(name.substr(first + 1, last - first - 1))) return nullptr;
  auto pattern = name.substr(0, first) + ".*" + name.substr(last);
  if (std::ranges::find(settings_, pattern, &Setting::name) == settings_.end()) return nullptr;
  for (size_t i = 0, count = settings_.size(); i < count; ++i) {
    auto made = settings_[i];
    if (!made.name.starts_with(name.substr(0, first) + ".*")) continue;
    made.name = name.substr(0, last) + made.name.substr(made.name.rfind('.'));
    settings_.push_back(std::move(made));
  }
  return exact();
}

Result<> Config::Set(const std::string& name, const std::string& value, const std::string& from) {
  auto* setting = Find(name);
  if (setting == nullptr)
    return Fail(ErrorKind::kInvalid, "{}: there is no setting '{}'; `slipway config` lists them", from, name);
  if (setting->number && !IsNumber(value))
    return Fail(ErrorKind::kInvalid, "{}: '{}' must be a whole number, not '{}'", from, name, value);
  if (setting->list)
    if (auto read = ParseJson(value); !read || !read->is_array())
      return Fail(ErrorKind::kInvalid, "{}: '{}' must be a list in JSON: {}", from, name,
                  read ? "it is something else" : read.error().message);
  setting->value = value;
  setting->from = from;
  return {};
}

Result<> Config::ReadToml(std::string_view text, const std::string& file) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return Fail(ErrorKind::kInvalid, "{} line {}: {}", file, error.source().begin.line, error.description());
  }
  for (const auto& [section, value] : table)
    if (!value.is_table())
      return Fail(ErrorKind::kInvalid, "{}: '{}' is outside of any section: write it below a line such as [server]",
                  file, section.str());
  std::function<Result<>(const toml::table&, const std::string&)> read = [&](const toml::table& keys,
                                                                             const std::string& above) -> Result<> {
    for (const auto& [key, item] : keys) {
      auto name = above + std::string(key.str());
      if (const auto* below = item.as_table()) {
        TRY(read(*below, name + "."));
      } else if (auto string = item.value_exact<std::string>()) {
        TRY(Set(name, *string, file));
      } else if (auto integer = item.value_exact<int64_t>()) {
        TRY(Set(name, std::to_string(*integer), file));
      } else if (const auto* setting = Find(name); item.is_array() && (setting == nullptr || setting->list)) {
        std::ostringstream list;
        list << toml::json_formatter{*item.as_array()};
        TRY(Set(name, list.str(), file));
      } else {
        return Fail(ErrorKind::kInvalid, "{} line {}: '{}' must be a text or a whole number", file,
                    item.source().begin.line, name);
      }
    }
    return {};
  };
  return read(table, "");
}

Result<> Config::ReadEnvironment(const std::map<std::string, std::string>& environment) {
  const auto known = settings_;
  for (const auto& [variable, value] : environment) {
    bool of_section = false;
    std::string name;
    for (const auto& setting : known) {
      auto pattern = EnvironmentName(setting.name);
      of_section |= variable.starts_with(EnvironmentName(setting.name.substr(0, setting.name.find('.') + 1)));
      auto star = pattern.find('*');
      if (variable == pattern) {
        name = setting.name;
      } else if (auto rest = pattern.size() - 1; star != std::string::npos && variable.size() > rest &&
                                                 variable.starts_with(pattern.substr(0, star)) &&
                                                 variable.ends_with(pattern.substr(star + 1))) {
        auto part = variable.substr(star, variable.size() - rest);
        std::ranges::transform(part, part.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        name = setting.name.substr(0, setting.name.find('*')) + part + setting.name.substr(setting.name.find('*') + 1);
      }
    }
    if (name.empty() && of_section)
      return Fail(ErrorKind::kInvalid, "${} is not the variable of any setting; `slipway config` lists them", variable);
    if (!name.empty()) TRY(Set(name, value, "$" + variable));
  }
  return {};
}

Result<> Config::ReadSecretFiles() {
  const auto known = settings_;
  for (const auto& setting : known) {
    auto name = setting.name.substr(0, setting.name.size() - kOfFile.size());
    if (!setting.name.ends_with(kOfFile) || setting.value.empty()) continue;
    auto* secret = Find(name);
    if (secret == nullptr) continue;  // a file, but of no secret
    if (!secret->value.empty())
      return Fail(ErrorKind::kInvalid, "{} ({}) and {} ({}) are both set: one of them is enough", name, secret->from,
                  setting.name, setting.from);
    ASSIGN(auto text, Wrap(ReadFile(setting.value, kLargestSecret), setting.name));
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    TRY(Set(name, text, setting.value));
  }
  return {};
}

std::vector<std::string> Config::Names(const std::string& section) const {
  std::vector<std::string> names;
  for (const auto& setting : settings_) {
    auto first = setting.name.find('.'), last = setting.name.rfind('.');
    if (first == last || setting.name.substr(0, first) != section) continue;
    auto name = setting.name.substr(first + 1, last - first - 1);
    if (name != "*" && std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

std::vector<Setting> Config::settings() const {
  std::vector<Setting> shown;
  std::ranges::copy_if(settings_, std::back_inserter(shown),
                       [](const auto& s) { return s.name.find('*') == std::string::npos; });
  return shown;
}

const std::string& Config::Text(const std::string& name) const {
  return std::ranges::find(settings_, name, &Setting::name)->value;
}

int Config::Number(const std::string& name) const { return std::atoi(Text(name).c_str()); }

std::string Masked(const Setting& setting) {
  if (setting.secret) return setting.value.empty() ? "" : "****";
  auto scheme = setting.value.find("://"), at = setting.value.rfind('@');
  if (scheme == std::string::npos || at == std::string::npos || at < scheme) return setting.value;
  auto colon = setting.value.find(':', scheme + 3);
  if (colon == std::string::npos || colon > at) return setting.value;
  return setting.value.substr(0, colon + 1) + "****" + setting.value.substr(at);
}

}  // namespace slipway::config
