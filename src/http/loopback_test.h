#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "http/server.h"

/// For tests: a server on a free port of 127.0.0.1, and a client that sends bytes as they are.
namespace slipway::http::testing {

/// A server in a thread of its own; it stops when this goes.
class Running {
 public:
  explicit Running(Handler handler, Limits limits = {}, const TlsFiles& tls = {}) {
    auto listening = Server::Listen("127.0.0.1", 0, limits, tls, std::move(handler));
    if (!listening) throw std::runtime_error(listening.error().message);
    server_ = std::move(*listening);
    thread_ = std::jthread([this] { server_->Run(); });
  }
  ~Running() { server_->Stop(); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  int port() const { return server_->port(); }
  void Stop() { server_->Stop(); }
  void Join() { thread_.join(); }

 private:
  std::unique_ptr<Server> server_;
  std::jthread thread_;
};

struct Answer {
  int status = 0;  ///< 0: no answer
  std::map<std::string, std::string> headers;
  std::string body;  ///< chunks are put together; `whole` tells whether the last one came
  bool whole = false;
};

/// One connection, which blocks; 30 seconds of silence end a test that hangs.
class Client {
 public:
  explicit Client(int port);
  explicit Client(const Running& server) : Client(server.port()) {}
  ~Client() { Close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Send(std::string_view bytes) const;
  /// Sends as much as the connection takes without waiting; how much that was.
  size_t SendWhatFits(std::string_view bytes) const;
  /// What came, at most once: empty at the end of the connection.
  std::string Some();
  /// Bytes up to and with `end`.
  std::string Until(std::string_view end);
  /// All until the connection's end.
  std::string Rest();
  /// The next answer; with_body = false for one to HEAD.
  Answer Next(bool with_body = true);
  Answer Ask(std::string_view request) {
    Send(request);
    return Next();
  }
  /// Says that nothing follows.
  void HalfClose() const { ::shutdown(socket_, SHUT_WR); }
  void Close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  int descriptor() const { return socket_; }

 private:
  int socket_ = -1;
  std::string buffer_;
};

/// A handler that waits in /wait until it is let go, and tells when it waits.
struct Gate {
  std::promise<void> waits, go;
  std::shared_future<void> open = go.get_future();
  Handler handler() {
    return Blocking([this](const Request& request) {
      if (request.path.at(0) == "wait") {
        waits.set_value();
        open.wait();
      }
      return Response{.body = "done"};
    });
  }
};

inline std::string Get(const std::string& path) { return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"; }

}  // namespace slipway::http::testing
