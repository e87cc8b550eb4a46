#pragma once

#include <cstddef>
#include <string>

namespace slipway::http {

struct Limits {
  size_t body_bytes = size_t{1} << 20;     ///< of a body that is read as a whole; more are answered 413
  size_t bodies_bytes = size_t{64} << 20;  ///< of all such bodies at once; whose goes beyond is answered 503
  size_t header_bytes = size_t{60} << 10;  ///< of all that comes before the body; more are answered 431
  int header_seconds = 5;                  ///< for that to arrive, from its first byte, or from the connection's start
  int read_seconds = 30;                   ///< for a body to arrive, an answer to be taken, the next request to come
  size_t least_rate = 1024;                ///< bytes a second that a body must come with, after `header_seconds`
  int answer_seconds = 60;                 ///< for an answer by a thread; then it is 503, whatever the thread does
  int threads = 4;                         ///< answers that may block, at once
  int queue = 256;                         ///< requests that may wait for a thread; more are answered 429
  /// Open at once. For one more, the one is closed that has waited longest for its client: to ask, to send its body, or
  /// to take its answer, in this order. Where all wait for threads, the new one is answered 503.
  int connections = 1024;
  bool loopback_only = true;  ///< without sign-in, nobody else may reach the server
  bool insecure = false;      ///< they may, also without TLS
};

/// PEM files; with them the server speaks HTTPS. They are read again when they change.
struct TlsFiles {
  std::string certificate, key;
};

}  // namespace slipway::http
