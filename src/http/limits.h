#pragma once

#include <cstddef>
#include <string>

namespace slipway::http {

struct Limits {
  size_t body_bytes = size_t{1} << 20;     ///< of a body that is read as a whole; more are answered 413
  size_t header_bytes = size_t{60} << 10;  ///< of all that comes before the body; more are answered 431
  int read_seconds = 30;                   ///< for a request to arrive, and for its answer to be taken
  int threads = 4;                         ///< answers that may block, at once
  int queue = 256;                         ///< requests that may wait for a thread; more are answered 429
  int connections = 1024;                  ///< open at once; more are answered 503
  bool loopback_only = true;               ///< without sign-in, nobody else may reach the server
};

/// PEM files; with them the server speaks HTTPS. They are read again when they change.
struct TlsFiles {
  std::string certificate, key;
};

}  // namespace slipway::http
