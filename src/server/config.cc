#include "server/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>

#include "base/format.h"

namespace slipway::server {
namespace {

std::vector<Setting> Defaults() {
  auto text = [](std::string name, std::string value, std::string help) {
    return Setting{std::move(name), std::move(value), "default", false, false, std::move(help)};
  };
  auto number = [](std::string name, int value, std::string help) {
    return Setting{std::move(name), std::to_string(value), "default", false, true, std::move(help)};
  };
  auto secret = [](std::string name, std::string help) { return Setting{std::move(name), "", "default", true, false, std::move(help)}; };
  return {
      text("server.listen", "127.0.0.1:8080", "HOST:PORT; without sign-in, loopback only; port 0 takes a free one"),
      number("server.threads", 4, "requests handled at once"),
      number("server.queue", 256, "requests that may wait; more are answered 429"),
      number("server.read_seconds", 30, "a request must have arrived after this long"),
      text("store.location", "", "postgresql://…, or a SQLite file; empty: slipway.db in the data directory"),
      text("registry.location", "", "mlflow+http://… of an MLflow server, or a folder; empty: models in the data directory"),
      text("auth.issuer", "", "the Keycloak realm's URL; empty: tokens are refused"),
      text("auth.audience", "slipway", "that tokens must be for"),
      text("auth.client", "slipway", "the client whose roles count beside the realm's"),
      text("auth.admin_role", "slipway-admin", "the role that may manage every deployment"),
      text("auth.service_client", "", "a service account that may view users, for live roles of user keys"),
      secret("auth.service_secret", "its secret"),
      number("auth.refresh_seconds", 60, "how old looked-up roles may be, and how often an unknown key is asked for"),
      text("auth.platform_psk_file", "", "the file with the platform PSK; empty: platform.psk in the data directory"),
      number("dispatch.processes", 1, "runs at once"),
      number("dispatch.attempts", 3, "of a run whose process was lost"),
      number("dispatch.lease_seconds", 30, "after this long without a word, a server's runs are taken over"),
      text("dispatch.catch_up", "latest", "ticks missed while all was down: latest, or all"),
      text("dispatch.time_zone", "UTC", "of the schedules: a name of the IANA database"),
      number("clock.speed", 1, "for tests: how many times faster the server's clock runs since 2024-01-01"),
  };
}

std::string EnvironmentName(const std::string& name) {
  std::string text = "SLIPWAY_";
  for (unsigned char c : name) text += c == '.' ? '_' : static_cast<char>(std::toupper(c));
  return text;
}

bool IsNumber(const std::string& text) {
  int value = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && code == std::errc{} && end == text.data() + text.size() && value >= 0;
}

}  // namespace

Config::Config() : settings_(Defaults()) {}

Setting* Config::Find(const std::string& name) {
  auto found = std::ranges::find(settings_, name, &Setting::name);
  return found == settings_.end() ? nullptr : &*found;
}

Result<> Config::Set(const std::string& name, const std::string& value, const std::string& from) {
  auto* setting = Find(name);
  if (setting == nullptr) return Fail(ErrorKind::kInvalid, "{}: there is no setting '{}'; `slipway config` lists them", from, name);
  if (setting->number && !IsNumber(value)) return Fail(ErrorKind::kInvalid, "{}: '{}' must be a whole number, not '{}'", from, name, value);
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
  for (const auto& [section, value] : table) {
    const auto* keys = value.as_table();
    if (keys == nullptr) return Fail(ErrorKind::kInvalid, "{}: '{}' stands outside of any section", file, section.str());
    for (const auto& [key, item] : *keys) {
      auto name = fmt::format("{}.{}", section.str(), key.str());
      std::string found;
      if (auto string = item.value_exact<std::string>())
        found = *string;
      else if (auto integer = item.value_exact<int64_t>())
        found = std::to_string(*integer);
      else
        return Fail(ErrorKind::kInvalid, "{} line {}: '{}' must be a text or a whole number", file, item.source().begin.line, name);
      TRY(Set(name, found, file));
    }
  }
  return {};
}

Result<> Config::ReadEnvironment(const std::map<std::string, std::string>& environment) {
  for (auto& setting : settings_)
    if (auto found = environment.find(EnvironmentName(setting.name)); found != environment.end())
      TRY(Set(setting.name, found->second, "$" + found->first));
  return {};
}

const std::string& Config::Text(const std::string& name) const { return std::ranges::find(settings_, name, &Setting::name)->value; }

int Config::Number(const std::string& name) const { return std::atoi(Text(name).c_str()); }

std::string Masked(const Setting& setting) {
  if (setting.secret) return setting.value.empty() ? "" : "****";
  auto scheme = setting.value.find("://"), at = setting.value.rfind('@');
  if (scheme == std::string::npos || at == std::string::npos || at < scheme) return setting.value;
  auto colon = setting.value.find(':', scheme + 3);
  if (colon == std::string::npos || colon > at) return setting.value;
  return setting.value.substr(0, colon + 1) + "****" + setting.value.substr(at);
}

}  // namespace slipway::server
