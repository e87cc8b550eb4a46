#include "registry/registry.h"

#include "base/format.h"
#include "registry/folder_registry.h"
#include "registry/mlflow/mlflow_registry.h"

namespace slipway::registry {

Result<std::unique_ptr<Registry>> OpenRegistry(const RegistryPlace& place, const RegistryCredentials& credentials) {
  constexpr std::string_view kMlflow = "mlflow+";
  if (place.location.starts_with(kMlflow)) {
    auto url = place.location.substr(kMlflow.size());
    if (!url.starts_with("http://") && !url.starts_with("https://"))
      return Fail(ErrorKind::kInvalid, "the registry {} must be mlflow+http://HOST:PORT or mlflow+https://HOST",
                  place.location);
    while (url.ends_with('/')) url.pop_back();
    return std::make_unique<MlflowRegistry>(url, credentials, ModelCache(place.cache, place.cache_bytes));
  }
  if (place.location.find("://") != std::string::npos)
    return Fail(ErrorKind::kInvalid, "the registry {} is neither a folder nor mlflow+http://…", place.location);
  return std::make_unique<FolderRegistry>(place.location);
}

}  // namespace slipway::registry
