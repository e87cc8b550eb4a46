#include "config/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using slipway::config::Config;
  std::string text(reinterpret_cast<const char*>(data), size);
  Config config;
  (void)config.ReadToml(text, "fuzz.toml");
  if (auto equals = text.find('='); equals != std::string::npos) {
    (void)config.ReadEnvironment({{text.substr(0, equals), text.substr(equals + 1)}});
    (void)config.Set(text.substr(0, equals), text.substr(equals + 1), "--set");
  }
  for (const auto& setting : config.settings()) (void)Masked(setting);
  (void)config.Names("webhooks");
  return 0;
}
