#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace slipway::server {

/// A request as handlers see it: the path's segments and the query are decoded, header names are lower case.
struct Request {
  std::string method;
  std::vector<std::string> path;
  std::map<std::string, std::string> query, headers;
  std::map<std::string, std::string> parameters;  ///< the parts of the path that a route names, filled by the router
  std::string body;
  std::string request_id;  ///< the caller's X-Request-Id where it is a short word, else a new UUID
  std::string remote;      ///< the caller's address

  std::optional<std::string_view> Find(const std::string& name) const {
    auto found = headers.find(name);
    return found == headers.end() ? std::nullopt : std::optional<std::string_view>(found->second);
  }
  std::string_view Header(const std::string& name) const { return Find(name).value_or(std::string_view{}); }
};

struct Response {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::map<std::string, std::string> headers;
};

struct HttpLimits {
  size_t body_bytes = size_t{1} << 20;
  size_t header_bytes = size_t{60} << 10;  ///< below 64 KiB, the most that Beast can hold in one field
  int read_seconds = 30;                   ///< for a request to arrive, and for its answer to be taken
  int threads = 4;                         ///< handlers at once
  int queue = 256;                         ///< requests that may wait for a handler; more are answered 429
  int connections = 1024;                  ///< open at once; more are answered 503
  bool loopback_only = true;               ///< without sign-in, nobody else may reach the server
};

/// PEM files; with them the server speaks HTTPS. They are read again when they change.
struct TlsFiles {
  std::string certificate, key;
};

/// An HTTP/1.1 server on Boost.Beast. Handlers run on a pool of their own, so that a slow one holds up no connection.
class HttpServer {
 public:
  using Handler = std::function<Response(const Request&)>;
  /// Binds `host:port` (0: any free port); kInvalid for an address that is not loopback or files that are no
  /// certificate, kUnavailable when the address is taken.
  static Result<std::unique_ptr<HttpServer>> Listen(const std::string& host, int port, HttpLimits limits,
                                                    const TlsFiles& tls, Handler handler);
  virtual ~HttpServer() = default;
  virtual int port() const = 0;
  /// Serves until Stop; answers in flight are finished, for some seconds at most.
  virtual void Run() = 0;
  virtual void Stop() = 0;  ///< from any thread, or a signal's
};

}  // namespace slipway::server
