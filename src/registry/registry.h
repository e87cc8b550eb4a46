#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/file.h"

namespace slipway::registry {

/// How a deployment names a model version: by number, or by an alias that is looked up when a run starts.
struct ModelReference {
  std::string name;
  std::optional<std::string> version, alias;
};

/// One version of a registered model.
struct ModelVersion {
  std::string name;
  std::string version;
  std::string key;               ///< the same for the same files: name, version and what tells two registrations apart
  std::filesystem::path folder;  ///< an MLflow model; set by Fetch
  std::string digest;            ///< SHA-256 over the folder's files; set by Fetch
  std::string source;            ///< where a remote registry keeps the files
  std::shared_ptr<FileLock> hold;  ///< keeps a cached folder from being tidied away
};

/// Where models come from.
class Registry {
 public:
  virtual ~Registry() = default;

  /// The version that a reference names now. kNotFound names what is missing: the model, the version or the alias;
  /// kUnavailable: the registry cannot be asked.
  virtual Result<ModelVersion> Resolve(const ModelReference& reference) = 0;

  /// Brings the version's files into `folder`, whole. kNotFound: they are missing; kCorrupt: they are not those that
  /// were registered.
  virtual Result<> Fetch(ModelVersion& version) = 0;
};

/// What is needed to open a registry; holds no secrets.
struct RegistryPlace {
  std::string location;                     ///< a folder, or mlflow+http://host:port (mlflow+https) of an MLflow server
  std::string cache;                        ///< the folder that keeps what was downloaded
  int64_t cache_bytes = int64_t{10} << 30;  ///< at most; what was used longest ago goes first
};

/// For an MLflow server: a token, or a name and a password (MLFLOW_TRACKING_TOKEN, _USERNAME, _PASSWORD).
struct RegistryCredentials {
  std::string username, password, token;
};

/// kInvalid: no such kind of location.
Result<std::unique_ptr<Registry>> OpenRegistry(const RegistryPlace& place, const RegistryCredentials& credentials);

}  // namespace slipway::registry
