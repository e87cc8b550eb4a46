#include "base/s3.h"

#include <arrow/filesystem/s3fs.h>

#include <cstdlib>
#include <initializer_list>
#include <string>

#include "base/arrow.h"

namespace slipway {
namespace {

/// The first of some variables that is set.
std::string Environment(std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  return "";
}

}  // namespace

Result<std::shared_ptr<arrow::fs::FileSystem>> OpenS3(const S3Access& access) {
  ARROW_TRY(arrow::fs::EnsureS3Initialized());
  auto options = arrow::fs::S3Options::Defaults();
  if (!access.access_key.empty())
    options.ConfigureAccessKey(access.access_key, access.secret_key, access.session_token);
  options.region = access.region.empty() ? Environment({"AWS_REGION", "AWS_DEFAULT_REGION"}) : access.region;
  if (options.region.empty()) options.region = "us-east-1";
  auto endpoint = access.endpoint.empty()
                      ? Environment({"MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"})
                      : access.endpoint;
  if (auto scheme = endpoint.find("://"); scheme != std::string::npos) {
    options.scheme = endpoint.substr(0, scheme);
    endpoint = endpoint.substr(scheme + 3);
  }
  while (endpoint.ends_with('/')) endpoint.pop_back();
  options.endpoint_override = endpoint;
  options.connect_timeout = 10;
  options.request_timeout = 30;
  ARROW_ASSIGN(auto s3, arrow::fs::S3FileSystem::Make(options));
  return s3;
}

Error S3Error(const arrow::Status& status) {
  auto error = FromArrow(status);
  const auto& text = error.message;
  bool missing = text.find("NoSuchBucket") != std::string::npos || text.find("NoSuchKey") != std::string::npos ||
                 text.find("NOT_FOUND") != std::string::npos || text.find("Path does not exist") != std::string::npos ||
                 text.find("NO_SUCH_BUCKET") != std::string::npos;
  error.kind = missing ? ErrorKind::kNotFound : ErrorKind::kUnavailable;
  return error;
}

void CloseS3() {
  if (arrow::fs::IsS3Initialized()) (void)arrow::fs::FinalizeS3();
}

}  // namespace slipway
