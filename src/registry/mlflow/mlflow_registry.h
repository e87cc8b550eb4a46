#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <map>
#include <string>

#include "registry/model_cache.h"

namespace slipway::registry {

/// Talks to one MLflow server: its credentials, retries, and errors in our kinds.
class MlflowServer {
 public:
  MlflowServer(std::string url, const RegistryCredentials& credentials);
  const std::string& url() const { return url_; }

  /// GET `/api/2.0/mlflow/<path>`, parsed. kNotFound for 404, and for the 400 that a missing alias gets; kUnavailable
  /// for no answer, 5xx, and credentials that are refused.
  Result<boost::json::value> Get(const std::string& path) const;
  /// GET of an absolute URL on this server into a file. `take` is told of bytes before they are written; its error ends
  /// the download.
  Result<> Download(const std::string& url, const std::filesystem::path& file,
                    const std::function<Result<>(int64_t bytes)>& take) const;
  /// GET of an absolute URL, parsed.
  Result<boost::json::value> GetUrl(const std::string& url) const;

 private:
  std::string url_;
  std::map<std::string, std::string> headers_;
};

/// The model registry of an MLflow server, by its REST API (mlflow.org, "REST API"; the shapes were read off
/// MLflow 3.17). Stages are not used. Files come through the server's proxy, from a folder, or from S3, whatever the
/// version's source says.
class MlflowRegistry final : public Registry {
 public:
  MlflowRegistry(std::string url, const RegistryCredentials& credentials, ModelCache cache)
      : server_(std::move(url), credentials), cache_(std::move(cache)) {}

  Result<ModelVersion> Resolve(const ModelReference& reference) override;
  Result<> Fetch(ModelVersion& version) override;

 private:
  Result<std::string> SourceOf(const std::string& name, const std::string& version) const;
  Result<std::string> Locate(std::string source) const;
  MlflowServer server_;
  ModelCache cache_;
};

}  // namespace slipway::registry
