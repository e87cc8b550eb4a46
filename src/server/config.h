#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/error.h"

namespace slipway::server {

/// One setting: where its value came from is kept for `slipway config`.
struct Setting {
  std::string name;   ///< "auth.issuer": [auth] issuer in the file, SLIPWAY_AUTH_ISSUER in the environment
  std::string value;  ///< text, also of numbers and booleans
  std::string from = "default";
  bool secret = false;
  bool number = false;
  std::string help;
};

/// The server's configuration: a TOML file, then the environment, then flags; the later wins.
class Config {
 public:
  Config();

  /// kInvalid with the line for text that is no TOML, an unknown key, or a value of another kind.
  Result<> ReadToml(std::string_view text, const std::string& file);
  /// SLIPWAY_<SECTION>_<KEY>; `environment` as NAME → value. Other names are left alone.
  Result<> ReadEnvironment(const std::map<std::string, std::string>& environment);
  Result<> Set(const std::string& name, const std::string& value, const std::string& from);

  const std::string& Text(const std::string& name) const;
  int Number(const std::string& name) const;
  const std::vector<Setting>& settings() const { return settings_; }

 private:
  Setting* Find(const std::string& name);
  std::vector<Setting> settings_;
};

/// A value as it may be shown: secrets and passwords in URLs are masked.
std::string Masked(const Setting& setting);

}  // namespace slipway::server
