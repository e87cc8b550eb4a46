#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/error.h"

namespace slipway::config {

/// One setting: where its value came from is kept for `slipway config`.
struct Setting {
  /// "auth.issuer": [auth] issuer in the file, SLIPWAY_AUTH_ISSUER in the environment. In "webhooks.*.url" the star
  /// stands for any name.
  std::string name;
  std::string value;  ///< text, also of numbers and booleans
  std::string from = "default";
  bool secret = false;
  bool number = false;
  std::string help;
  bool list = false;  ///< JSON of a list; in a TOML file an array, or [[section.key]]
};

/// The server's configuration: a TOML file, then the environment, then flags; the later wins.
class Config {
 public:
  Config();

  /// kInvalid with the line for text that is not TOML, an unknown key, or a value of another kind.
  Result<> ReadToml(std::string_view text, const std::string& file);
  /// SLIPWAY_<SECTION>_<KEY>; `environment` as NAME → value. kInvalid for an unknown key of a known section; others are
  /// left alone.
  Result<> ReadEnvironment(const std::map<std::string, std::string>& environment);
  /// A setting that may hold a secret can stand in a file, which NAME_file names. kInvalid: both are set; kNotFound,
  /// kIo.
  Result<> ReadSecretFiles();
  Result<> Set(const std::string& name, const std::string& value, const std::string& from);

  const std::string& Text(const std::string& name) const;
  int Number(const std::string& name) const;
  /// The names that stand for the star of `section`: {"pager"} when webhooks.pager.url is set.
  std::vector<std::string> Names(const std::string& section) const;
  /// All but those with a star.
  std::vector<Setting> settings() const;

 private:
  Setting* Find(const std::string& name);
  std::vector<Setting> settings_;
};

/// A value as it may be shown: secrets and passwords in URLs are masked.
std::string Masked(const Setting& setting);

}  // namespace slipway::config
