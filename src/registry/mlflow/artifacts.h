#pragma once

#include "registry/mlflow/mlflow_registry.h"

namespace slipway::registry {

/// What a model may be made of; more is refused before it is downloaded.
inline constexpr int64_t kMostModelFiles = 10'000;
inline constexpr int64_t kMostModelBytes = int64_t{64} << 30;

/// Brings every file below an artifact location into `folder`: `mlflow-artifacts:/…` by the server's proxy, `file://…`
/// or a path, `s3://bucket/prefix`. kNotFound: nothing is there; kUnsupported: another kind of location; kInvalid: a
/// name that leaves the folder, or too much.
Result<> DownloadArtifacts(const MlflowServer& server, const std::string& location,
                           const std::filesystem::path& folder);

/// Of a bucket, with the usual chain of credentials and MLFLOW_S3_ENDPOINT_URL or AWS_ENDPOINT_URL_S3 or
/// AWS_ENDPOINT_URL.
Result<> DownloadFromS3(const std::string& location, const std::filesystem::path& folder);

/// kInvalid for a relative path that is absolute, empty, or steps out of its folder.
Result<> CheckArtifactName(const std::string& name);

}  // namespace slipway::registry
