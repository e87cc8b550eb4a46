#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "iceberg/catalog.h"

namespace slipway::scoring {

/// The secrets of catalogs, by their names.
using CatalogSecrets = std::map<std::string, iceberg::CatalogCredentials>;

/// The catalogs that deployments may name, each opened when it is first asked for: one that is down keeps nobody from
/// the others. Thread-safe.
class Catalogs {
 public:
  Catalogs(std::vector<iceberg::CatalogPlace> places, CatalogSecrets secrets);
  /// Catalogs that are open already, by their names.
  explicit Catalogs(std::map<std::string, std::unique_ptr<iceberg::Catalog>> open);

  /// kInvalid with the names there are; the errors of OpenCatalog. The catalog lives as long as this does.
  Result<iceberg::Catalog*> Find(const std::string& name) const;

  /// kInvalid as above, without opening it.
  Result<> Check(const std::string& name) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace slipway::scoring
