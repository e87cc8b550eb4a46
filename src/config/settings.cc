#include "config/settings.h"

#include <algorithm>
#include <iterator>
#include <sstream>

#include "base/format.h"
#include "base/log.h"
#include "base/s3.h"
#include "deployments/cron.h"
#include "deployments/webhook_events.h"
#include "iceberg/table_place.h"

namespace slipway::config {

std::string TextOr(const Config& config, const std::string& name, const std::string& fallback) {
  const auto& text = config.Text(name);
  return text.empty() ? fallback : text;
}

namespace {

std::vector<std::string> Words(const std::string& text) {
  std::istringstream words(text);
  return {std::istream_iterator<std::string>(words), {}};
}

/// What tables may claim, and name beside their own files.
Result<> HoldTables(const Config& config, iceberg::CatalogPlace& place, const std::string& prefixes) {
  place.allowed_prefixes = Words(config.Text(prefixes));
  for (const auto& prefix : place.allowed_prefixes) TRY(Wrap(iceberg::ComparableLocation(prefix), prefixes));
  place.limits = {.metadata_bytes = int64_t{config.Number("tables.metadata_mib")} << 20,
                  .manifests = config.Number("tables.manifests"),
                  .data_files = config.Number("tables.data_files")};
  return {};
}

}  // namespace

std::vector<std::string> Paths(const std::string& text) {
  std::vector<std::string> paths;
  std::istringstream all(text);
  for (std::string path; std::getline(all, path, ':');)
    if (!path.empty()) paths.push_back(path);
  return paths;
}

Result<scoring::Places> PlacesOf(const Config& config, const std::string& data_dir) {
  auto places = scoring::Places::In(data_dir);
  auto embedded = places.catalogs.front();
  if (const auto& file = config.Text("catalog.file"); !file.empty()) embedded.uri = "sqlite:///" + file;
  embedded.warehouse = TextOr(config, "catalog.warehouse", embedded.warehouse);
  TRY(HoldTables(config, embedded, "catalog.allowed_prefixes"));
  places.catalogs.clear();
  bool replaced = false;
  for (const auto& name : config.Names("catalogs")) {
    auto text = [&](const char* key) { return config.Text("catalogs." + name + "." + key); };
    if (text("uri").empty()) return Fail(ErrorKind::kInvalid, "catalogs.{}.uri is missing", name);
    if (text("uri").find("@") != std::string::npos && Masked({.value = text("uri")}) != text("uri"))
      return Fail(ErrorKind::kInvalid,
                  "catalogs.{0}.uri holds a password, which would stand in every job: move it to catalogs.{0}.password",
                  name);
    places.catalogs.push_back(
        {name, text("kind"), text("uri"), text("warehouse"), text("oauth2_server_uri"), text("scope")});
    TRY(HoldTables(config, places.catalogs.back(), "catalogs." + name + ".allowed_prefixes"));
    replaced |= name == embedded.name;
  }
  if (!replaced) places.catalogs.insert(places.catalogs.begin(), embedded);
  places.registry.location = TextOr(config, "registry.location", places.registry.location);
  places.registry.cache_bytes = int64_t{config.Number("registry.cache_mib")} << 20;
  const auto& network = config.Text("python.network");
  if (network != "yes" && network != "no")
    return Fail(ErrorKind::kInvalid, "python.network must be yes or no, not '{}'", network);
  const auto& environment = config.Text("python.environment");
  if (environment != "interpreter" && environment != "model")
    return Fail(ErrorKind::kInvalid, "python.environment must be interpreter or model, not '{}'", environment);
  const auto& check = config.Text("python.check");
  if (check != "registration" && check != "first-run")
    return Fail(ErrorKind::kInvalid, "python.check must be registration or first-run, not '{}'", check);
  places.python = {.interpreter = config.Text("python.interpreter"),
                   .cache = places.python.cache,
                   .environment_of_model = environment == "model",
                   .check_first = check == "first-run",
                   .network = network == "yes",
                   .readable = Paths(config.Text("python.readable")),
                   .writable = Paths(config.Text("python.writable")),
                   .user = config.Text("python.user"),
                   .cgroup = config.Text("python.cgroup"),
                   .memory_mib = config.Number("python.memory_mib"),
                   .disk_mib = config.Number("python.disk_mib"),
                   .tasks = config.Number("python.tasks"),
                   .output_mib = config.Number("python.output_mib"),
                   .batch_seconds = config.Number("python.batch_seconds"),
                   .load_seconds = config.Number("python.load_seconds"),
                   .environment_seconds = config.Number("python.environment_seconds"),
                   .processes = config.Number("python.processes")};
  return places;
}

scoring::Secrets SecretsOf(const Config& config, const std::map<std::string, std::string>& environment) {
  auto text = [&](const char* setting, const char* variable) {
    auto found = environment.find(variable);
    return TextOr(config, setting, found == environment.end() ? "" : found->second);
  };
  scoring::Secrets secrets;
  secrets.registry = {text("registry.username", "MLFLOW_TRACKING_USERNAME"),
                      text("registry.password", "MLFLOW_TRACKING_PASSWORD"),
                      text("registry.token", "MLFLOW_TRACKING_TOKEN")};
  for (const auto& name : config.Names("catalogs")) {
    auto key = "catalogs." + name + ".";
    secrets.catalogs[name] = {config.Text(key + "credential"), config.Text(key + "token"),
                              config.Text(key + "password")};
  }
  return secrets;
}

std::vector<std::string> ScoringEnvironment(const scoring::Secrets& secrets,
                                            const std::map<std::string, std::string>& environment) {
  std::vector<std::string> passed;
  auto pass = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) passed.push_back(name + "=" + value);
  };
  for (const char* name : {"SLIPWAY_PYTHON", "SLIPWAY_ZYGOTES"})
    if (auto found = environment.find(name); found != environment.end()) pass(name, found->second);
  for (const char* name : kS3Environment)
    if (auto found = environment.find(name); found != environment.end()) pass(name, found->second);
  for (const auto& [name, value] : scoring::ToEnvironment(secrets)) pass(name, value);
  return passed;
}

Result<access::Rules> AccessRulesOf(const Config& config, const scoring::Places& places) {
  ASSIGN(auto rules, access::ParseRules(config.Text("access.rules")));
  for (const auto& catalog : access::CatalogsIn(rules))
    if (std::ranges::find(places.catalogs, catalog, &iceberg::CatalogPlace::name) == places.catalogs.end())
      return Fail(ErrorKind::kInvalid, "access.rules: there is no catalog '{}'", catalog);
  return rules;
}

Result<std::vector<webhooks::Webhook>> WebhooksOf(const Config& config) {
  std::vector<webhooks::Webhook> found;
  for (const auto& name : config.Names("webhooks")) {
    auto key = "webhooks." + name + ".";
    webhooks::Webhook webhook{.name = name,
                              .url = config.Text(key + "url"),
                              .attempts = config.Number(key + "attempts"),
                              .pause_seconds = config.Number(key + "pause_seconds")};
    ASSIGN(webhook.key, Wrap(webhooks::SigningKey(config.Text(key + "secret")), key + "secret"));
    if (webhook.key.size() < webhooks::kLeastKeyBytes)
      Log(LogLevel::kWarning, "webhook_key_short",
          {{"setting", key + "secret"}, {"advice", "use a random key of at least 24 bytes"}});
    if (!webhook.url.starts_with("http://") && !webhook.url.starts_with("https://"))
      return Fail(ErrorKind::kInvalid, "{}url must be http://… or https://…, not '{}'", key, webhook.url);
    std::istringstream words(config.Text(key + "events"));
    for (std::string event; words >> event;) {
      if (event != deployments::kWarningEvent &&
          (!event.starts_with("run.") || !deployments::ParseRunStatus(event.substr(4))))
        return Fail(
            ErrorKind::kInvalid,
            "{}events: there is no event '{}'; there are run.queued, run.running, run.succeeded, run.failed and "
            "run.warning",
            key, event);
      webhook.events.insert(event);
    }
    found.push_back(std::move(webhook));
  }
  return found;
}

Result<std::vector<deployments::RunnerKind>> RunnersOf(const Config& config) {
  std::vector<deployments::RunnerKind> kinds;
  std::istringstream words(config.Text("dispatch.kind"));
  for (std::string word; words >> word;) {
    auto kind = deployments::ParseWord<deployments::RunnerKind>(word);
    if (!kind || std::ranges::find(kinds, *kind) != kinds.end())
      return Fail(ErrorKind::kInvalid, "dispatch.kind is local, airflow or both (the default one first), not '{}'",
                  config.Text("dispatch.kind"));
    kinds.push_back(*kind);
  }
  if (kinds.empty()) return Fail(ErrorKind::kInvalid, "dispatch.kind is empty: local, airflow or both");
  return kinds;
}

scoring::RunLimits RunLimitsOf(const Config& config) {
  return {.seconds = config.Number("dispatch.run_seconds"), .memory_mib = config.Number("dispatch.memory_mib")};
}

Result<dispatch::LocalOptions> LocalDispatchOf(const Config& config, const scoring::Places& places) {
  dispatch::LocalOptions dispatching{.places = places};
  dispatching.processes = config.Number("dispatch.processes");
  dispatching.limits = RunLimitsOf(config);
  dispatching.attempts = config.Number("dispatch.attempts");
  dispatching.retry = {config.Number("dispatch.retries"), config.Number("dispatch.retry_seconds")};
  dispatching.lease_seconds = std::max(1, config.Number("dispatch.lease_seconds"));
  const auto& catch_up = config.Text("dispatch.catch_up");
  if (catch_up != "latest" && catch_up != "all")
    return Fail(ErrorKind::kInvalid, "dispatch.catch_up must be latest or all, not '{}'", catch_up);
  dispatching.every_missed_tick = catch_up == "all";
  ASSIGN(dispatching.zone, deployments::FindTimeZone(config.Text("dispatch.time_zone")));
  return dispatching;
}

Result<dispatch::AirflowOptions> AirflowDispatchOf(const Config& config, const scoring::Places& places) {
  for (const char* name : {"airflow.url", "airflow.dags", "server.public_url"})
    if (config.Text(name).empty())
      return Fail(ErrorKind::kInvalid, "dispatch.kind names airflow, but {} is not set", name);
  dispatch::AirflowOptions options;
  options.airflow = {config.Text("airflow.url"), config.Text("airflow.username"), config.Text("airflow.password"),
                     config.Text("airflow.token")};
  options.dags = config.Text("airflow.dags");
  while (options.dags.ends_with('/')) options.dags.pop_back();
  options.settings = {.places = places,
                      .callback_url = config.Text("server.public_url"),
                      .time_zone = config.Text("dispatch.time_zone"),
                      .retries = config.Number("airflow.retries"),
                      .retry_seconds = config.Number("airflow.retry_seconds"),
                      .limits = RunLimitsOf(config)};
  while (options.settings.callback_url.ends_with('/')) options.settings.callback_url.pop_back();
  options.parse_seconds = config.Number("airflow.parse_seconds");
  options.check_seconds = config.Number("airflow.check_seconds");
  options.poll_seconds = std::max(1, config.Number("airflow.poll_seconds"));
  return options;
}

}  // namespace slipway::config
