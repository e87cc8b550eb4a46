#pragma once

#include <memory>
#include <string>

#include "base/error.h"
#include "http/exchange.h"
#include "http/limits.h"

namespace slipway::http {

/// An HTTP/1.1 server. One thread, that of Run, reads, writes and runs coroutines; `Limits::threads` others run what
/// blocks, so that a slow answer holds up no connection.
class Server {
 public:
  /// Binds `host:port` (0: any free port). kInvalid for an address that may not be used, or files that are not a
  /// certificate and its key; kUnavailable when the port is taken.
  static Result<std::unique_ptr<Server>> Listen(const std::string& host, int port, Limits limits, const TlsFiles& tls,
                                                Handler handler);
  ~Server();

  int port() const;
  /// Serves until Stop; answers in flight are finished, for ten seconds at most.
  void Run();
  void Stop();  ///< from any thread

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace slipway::http
