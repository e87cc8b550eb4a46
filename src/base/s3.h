#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>

#include "base/error.h"

namespace arrow::fs {
class FileSystem;
}

namespace slipway {

/// What a catalog hands out with a table (vended credentials); what is empty is taken from the environment.
struct S3Access {
  std::string endpoint, region, access_key, secret_key, session_token;
};

/// S3, by Arrow: the usual chain of AWS credentials; the endpoint by MLFLOW_S3_ENDPOINT_URL, AWS_ENDPOINT_URL_S3 or
/// AWS_ENDPOINT_URL; the region by AWS_REGION or AWS_DEFAULT_REGION, else us-east-1. Retries with growing pauses.
Result<std::shared_ptr<arrow::fs::FileSystem>> OpenS3(const S3Access& access = {});

/// An error of S3 in our kinds: no such bucket or key is kNotFound, anything else kUnavailable.
Error S3Error(const arrow::Status& status);

/// The variables that S3 access is configured by: what a scoring process is given of them.
inline constexpr const char* kS3Environment[] = {"AWS_ACCESS_KEY_ID",
                                                 "AWS_SECRET_ACCESS_KEY",
                                                 "AWS_SESSION_TOKEN",
                                                 "AWS_REGION",
                                                 "AWS_DEFAULT_REGION",
                                                 "AWS_ENDPOINT_URL",
                                                 "AWS_ENDPOINT_URL_S3",
                                                 "MLFLOW_S3_ENDPOINT_URL",
                                                 "AWS_PROFILE",
                                                 "AWS_CONFIG_FILE",
                                                 "AWS_SHARED_CREDENTIALS_FILE",
                                                 "AWS_ROLE_ARN",
                                                 "AWS_WEB_IDENTITY_TOKEN_FILE",
                                                 "AWS_EC2_METADATA_DISABLED"};

/// Ends Arrow's use of S3; to be called before the program ends, in any case.
void CloseS3();

}  // namespace slipway
