#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace slipway::http {

/// How the length of an answer's body is told.
enum class Framing {
  kLength,   ///< Content-Length
  kChunked,  ///< Transfer-Encoding: chunked
  kClose,    ///< by the end of the connection, for HTTP/1.0
};

struct HeadOptions {
  bool http11 = true;
  bool keep_alive = true;
  Framing framing = Framing::kLength;
  std::string_view request_id;
};

/// Status line and header fields, with the empty line that ends them.
std::string ResponseHead(const Response& response, const HeadOptions& options);

/// False for statuses whose answers never have a body.
bool MayHaveBody(int status);

}  // namespace slipway::http
