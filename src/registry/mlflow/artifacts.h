#pragma once

#include "registry/mlflow/mlflow_registry.h"

namespace slipway::registry {

/// What a model may be made of; counted down while it is brought here, so that more is refused as it arrives.
struct ModelLimits {
  int64_t files = 10'000;
  int64_t bytes = int64_t{64} << 30;

  /// Counts one more file. kInvalid: too many.
  Result<> TakeFile();
  /// Counts further bytes of a file. kInvalid: too many.
  Result<> TakeBytes(int64_t count);
};

/// Brings every file below an artifact location into `folder`: `mlflow-artifacts:/…` by the server's proxy, `file://…`
/// or a path, `s3://bucket/prefix`. kNotFound: nothing is there, or a local folder without an MLmodel file (whoever may
/// register a model may not have any folder of this machine copied); kUnsupported: another kind of location; kInvalid:
/// a name that leaves the folder, a link, or too much.
Result<> DownloadArtifacts(const MlflowServer& server, const std::string& location, const std::filesystem::path& folder,
                           ModelLimits limits = {});

/// Of a bucket, with the usual chain of credentials and MLFLOW_S3_ENDPOINT_URL or AWS_ENDPOINT_URL_S3 or
/// AWS_ENDPOINT_URL.
Result<> DownloadFromS3(const std::string& location, const std::filesystem::path& folder, ModelLimits limits);

/// kInvalid for a relative path that is absolute, empty, or steps out of its folder.
Result<> CheckArtifactName(const std::string& name);

}  // namespace slipway::registry
