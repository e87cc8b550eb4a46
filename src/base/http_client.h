#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/error.h"

namespace slipway {

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::map<std::string, std::string> headers;
  std::string body;
  double timeout_seconds = 30;           ///< for the whole answer; 0: as long as bytes keep coming
  size_t most_bytes = size_t{64} << 20;  ///< of an answer that is kept in memory
  std::string ca_file;                   ///< certificates to trust instead of the system's
  /// Takes the body of a 2xx answer as it arrives, instead of HttpAnswer::body; an error ends the request.
  std::function<Result<>(std::string_view)> sink;
};

struct HttpAnswer {
  long status = 0;
  std::string body;
  double retry_after_seconds = 0;  ///< of the header Retry-After, where it gives seconds
};

/// What a status that is not 2xx means for the caller.
ErrorKind KindOf(long status);

/// One request by libcurl; redirects are not followed. Connections are kept for the next request of the same thread.
/// kUnavailable when no answer came, or not in time; kInvalid for an answer that is too long. An answer with any status
/// is a success here; KindOf tells what its status means.
Result<HttpAnswer> SendHttp(const HttpRequest& request);

/// Sends a request that may be sent again: up to four times while no answer comes, or one that says "later" (429, 502,
/// 503, 504), with growing pauses. Not for a request whose sink keeps what it was given.
Result<HttpAnswer> SendHttpPatiently(const HttpRequest& request);

}  // namespace slipway
