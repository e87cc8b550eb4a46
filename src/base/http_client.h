#pragma once

#include <map>
#include <string>

#include "base/error.h"

namespace slipway {

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::map<std::string, std::string> headers;
  std::string body;
  double timeout_seconds = 30;
};

struct HttpAnswer {
  long status = 0;
  std::string body;
};

/// One request by libcurl; redirects are not followed. kUnavailable when no answer came; any status is an answer.
Result<HttpAnswer> SendHttp(const HttpRequest& request);

}  // namespace slipway
