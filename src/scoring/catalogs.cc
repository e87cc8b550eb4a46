#include "scoring/catalogs.h"

#include <algorithm>

#include "base/format.h"

namespace slipway::scoring {

struct Catalogs::State {
  std::vector<iceberg::CatalogPlace> places;
  CatalogSecrets secrets;
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<iceberg::Catalog>> open;
};

Catalogs::Catalogs(std::vector<iceberg::CatalogPlace> places, CatalogSecrets secrets)
    : state_(std::make_shared<State>()) {
  state_->places = std::move(places);
  state_->secrets = std::move(secrets);
}

Catalogs::Catalogs(std::map<std::string, std::unique_ptr<iceberg::Catalog>> open) : state_(std::make_shared<State>()) {
  for (const auto& [name, catalog] : open) state_->places.push_back({.name = name});
  state_->open = std::move(open);
}

Result<> Catalogs::Check(const std::string& name) const {
  std::string names;
  for (const auto& place : state_->places) {
    if (place.name == name) return {};
    names += (names.empty() ? "" : ", ") + place.name;
  }
  return Fail(ErrorKind::kInvalid, "no catalog '{}' (there is: {})", name, names);
}

Result<iceberg::Catalog*> Catalogs::Find(const std::string& name) const {
  TRY(Check(name));
  std::lock_guard lock(state_->mutex);
  auto& catalog = state_->open[name];
  if (catalog == nullptr) {
    auto place = std::ranges::find(state_->places, name, &iceberg::CatalogPlace::name);
    ASSIGN(catalog, iceberg::OpenCatalog(*place, state_->secrets[name]));
  }
  return catalog.get();
}

}  // namespace slipway::scoring
