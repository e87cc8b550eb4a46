#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/format.h"
#include "base/ids.h"
#include "base/log.h"
#include "server/http.h"
#include "server/target.h"
#include "server/tls.h"

namespace slipway::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Message = http::request<http::string_body>;
using Answer = http::response<http::string_body>;

constexpr int kSecondsToFinish = 10;                                // for answers in flight, when the server stops
constexpr std::chrono::milliseconds kPauseWithoutDescriptors{100};  // before the next try to accept a connection

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

/// The caller's own name for a request, where it can stand in a log and in a header.
std::string RequestId(std::string_view given) {
  auto plain = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == ':'; };
  return !given.empty() && given.size() <= 128 && std::ranges::all_of(given, plain) ? std::string(given) : NewUuid();
}

/// False for a target that is no valid path.
bool Decode(const Message& message, Request& request) {
  auto target = ParseTarget(message.target());
  if (!target) return false;
  request.method = std::string(message.method_string());
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  for (const auto& field : message) request.headers[LowerCase(field.name_string())] = std::string(field.value());
  request.body = message.body();
  request.request_id = RequestId(request.Header("x-request-id"));
  return true;
}

Answer Encode(const Response& response, const Message& message, const std::string& request_id) {
  Answer answer(static_cast<http::status>(response.status), message.version());
  answer.set(http::field::content_type, response.content_type);
  answer.set("X-Request-Id", request_id);
  for (const auto& [name, value] : response.headers) answer.set(name, value);
  answer.keep_alive(message.keep_alive());
  answer.body() = response.body;
  answer.prepare_payload();
  return answer;
}

Response Plain(int status, std::string_view detail) { return {status, fmt::format(R"({{"detail":"{}"}})", detail)}; }

Response Later(int status, std::string_view detail) {
  auto response = Plain(status, detail);
  response.headers["Retry-After"] = "1";
  return response;
}

/// 431; or where the credential is what is too large, 401: it is no token that anybody gave. `rest`: from the field on
/// that did not fit.
Response HeaderTooLarge(std::string_view rest) {
  if (LowerCase(rest.substr(0, 13)) != "authorization") return Plain(431, "Request header too large");
  auto refused = Plain(401, "the token is too long");
  refused.headers["WWW-Authenticate"] = R"(Bearer realm="slipway", error="invalid_token")";
  return refused;
}

using Plaintext = beast::tcp_stream;
using Encrypted = beast::ssl_stream<beast::tcp_stream>;

class Server final : public HttpServer {
 public:
  Server(HttpLimits limits, std::unique_ptr<TlsCertificate> certificate, Handler handler)
      : limits_(limits),
        certificate_(std::move(certificate)),
        handler_(std::move(handler)),
        acceptor_(context_),
        pool_(static_cast<size_t>(limits.threads)) {}

  Result<> Bind(const std::string& host, int port) {
    boost::system::error_code code;
    auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, code);
    if (code) return Fail(ErrorKind::kInvalid, "'{}' is no address", host);
    if (limits_.loopback_only && !address.is_loopback())
      return Fail(ErrorKind::kInvalid,
                  "{} is not loopback: without sign-in configured, Slipway listens on 127.0.0.1 or ::1 only", host);
    tcp::endpoint endpoint(address, static_cast<unsigned short>(port));
    // Asio's own open() lets every process that is started inherit the socket, and with it the server's port.
    auto protocol = endpoint.protocol();
    int listening = ::socket(protocol.family(), protocol.type() | SOCK_CLOEXEC, protocol.protocol());
    if (listening < 0) return Fail(ErrorKind::kUnavailable, "listen on {}:{}: {}", host, port, std::strerror(errno));
    acceptor_.assign(protocol, listening, code);
    if (code) ::close(listening);
    if (!code) acceptor_.non_blocking(true, code);  // a caller that is gone again must not hold up accept4()
    if (!code) acceptor_.set_option(asio::socket_base::reuse_address(true), code);
    if (!code) acceptor_.bind(endpoint, code);
    if (!code) acceptor_.listen(asio::socket_base::max_listen_connections, code);
    if (code) return Fail(ErrorKind::kUnavailable, "listen on {}:{}: {}", host, port, code.message());
    return {};
  }

  int port() const override { return acceptor_.local_endpoint().port(); }

  void Run() override {
    asio::co_spawn(context_, Accept(), asio::detached);
    while (true) {
      try {
        context_.run();
        break;
      } catch (const std::exception& error) {  // of one connection, which is closed by it; the others go on
        Log(LogLevel::kError, "connection_failed", {{"error", error.what()}});
      }
    }
    pool_.join();
  }

  void Stop() override {
    asio::post(context_, [this] {
      boost::system::error_code ignored;
      acceptor_.close(ignored);
      stopping_ = true;
      EndWhenIdle(std::chrono::steady_clock::now() + std::chrono::seconds(kSecondsToFinish));
    });
  }

 private:
  /// Ends when no request is being answered, or at `deadline`.
  void EndWhenIdle(std::chrono::steady_clock::time_point deadline) {
    if (answering_ == 0 || std::chrono::steady_clock::now() > deadline) return context_.stop();
    timer_.expires_after(std::chrono::milliseconds(10));
    timer_.async_wait([this, deadline](const auto&) { EndWhenIdle(deadline); });
  }

  asio::awaitable<void> Accept() {
    while (acceptor_.is_open()) {
      boost::system::error_code code;
      co_await acceptor_.async_wait(tcp::acceptor::wait_read, asio::redirect_error(asio::use_awaitable, code));
      if (code) continue;
      // Not Asio's async_accept: until it had set close-on-exec, a process started meanwhile would inherit the caller.
      int accepted = ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
      if (accepted < 0) {
        if (errno == EMFILE || errno == ENFILE) co_await Pause(kPauseWithoutDescriptors);
        continue;
      }
      tcp::socket socket(context_);
      socket.assign(acceptor_.local_endpoint().protocol(), accepted, code);
      if (code) {
        ::close(accepted);
        continue;
      }
      if (certificate_)
        asio::co_spawn(context_, Encrypt(std::move(socket)), asio::detached);
      else
        asio::co_spawn(context_, Connect(std::move(socket)), asio::detached);
    }
  }

  asio::awaitable<void> Pause(std::chrono::milliseconds time) {
    asio::steady_timer timer(context_, time);
    co_await timer.async_wait(asio::use_awaitable);
  }

  /// Counts a connection as long as it lives.
  struct Open {
    explicit Open(int& count) : count_(count) { ++count_; }
    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;
    ~Open() { --count_; }
    int& count_;
  };

  asio::awaitable<void> Connect(tcp::socket socket) {
    Open open(connections_);
    boost::system::error_code code;
    socket.set_option(tcp::no_delay(true), code);
    Plaintext stream(std::move(socket));
    co_await Serve(stream, stream);
    stream.socket().shutdown(tcp::socket::shutdown_send, code);
    co_await Linger(stream);
  }

  asio::awaitable<void> Encrypt(tcp::socket socket) {
    Open open(connections_);
    boost::system::error_code code;
    socket.set_option(tcp::no_delay(true), code);
    auto context = certificate_->Current();
    Encrypted stream(std::move(socket), *context);
    auto token = asio::redirect_error(asio::use_awaitable, code);
    beast::get_lowest_layer(stream).expires_after(std::chrono::seconds(limits_.read_seconds));
    co_await stream.async_handshake(asio::ssl::stream_base::server, token);
    if (code) co_return;
    co_await Serve(stream, beast::get_lowest_layer(stream));
    beast::get_lowest_layer(stream).expires_after(std::chrono::seconds(2));
    co_await stream.async_shutdown(token);
  }

  /// One connection: request after request, on the plain stream `tcp` or on TLS over it.
  template <typename Stream>
  asio::awaitable<void> Serve(Stream& stream, beast::tcp_stream& tcp) {
    beast::flat_buffer buffer;
    boost::system::error_code code;
    auto token = asio::redirect_error(asio::use_awaitable, code);
    auto peer = tcp.socket().remote_endpoint(code);
    auto remote = code ? std::string() : peer.address().to_string();
    for (bool open = true; open;) {
      http::request_parser<http::string_body> parser;
      parser.body_limit(limits_.body_bytes);
      parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes));
      tcp.expires_after(std::chrono::seconds(limits_.read_seconds));
      co_await http::async_read(stream, buffer, parser, token);
      Answer answer;
      if (code == http::error::body_limit) {
        answer = Encode(Plain(413, "Request body too large"), parser.get(), NewUuid());
        answer.keep_alive(false);
      } else if (code == http::error::header_limit) {
        answer = Encode(HeaderTooLarge(beast::buffers_to_string(buffer.data())), Message{http::verb::get, "/", 11},
                        NewUuid());
        answer.keep_alive(false);
      } else if (code.category() == http::make_error_code(http::error::bad_method).category() &&
                 code != http::error::end_of_stream && code != http::error::partial_message) {
        answer = Encode(Plain(400, "The request is not HTTP/1.1"), Message{http::verb::get, "/", 11}, NewUuid());
        answer.keep_alive(false);
      } else if (code) {
        co_return;
      } else if (connections_ > limits_.connections) {
        answer = Encode(Later(503, "Too many connections"), parser.get(), NewUuid());
        answer.keep_alive(false);
      } else {
        Open answering(answering_);
        answer = co_await Handle(parser.release(), remote);
        if (stopping_) answer.keep_alive(false);
        tcp.expires_after(std::chrono::seconds(limits_.read_seconds));
        open = answer.keep_alive();
        co_await http::async_write(stream, answer, token);
        if (code) co_return;
        continue;
      }
      tcp.expires_after(std::chrono::seconds(limits_.read_seconds));
      co_await http::async_write(stream, answer, token);
      co_return;
    }
  }

  /// Reads what a client is still sending for a moment: closing at once would reset the connection before it saw the
  /// answer.
  static asio::awaitable<void> Linger(beast::tcp_stream& stream) {
    boost::system::error_code code;
    std::array<char, 16384> ignored;
    stream.expires_after(std::chrono::seconds(2));
    for (size_t total = 0; !code && total < (size_t{8} << 20);)
      total += co_await stream.async_read_some(asio::buffer(ignored), asio::redirect_error(asio::use_awaitable, code));
  }

  /// On a thread of the pool; this coroutine goes on where connections are served.
  asio::awaitable<Answer> Handle(Message message, std::string remote) {
    if (waiting_ >= limits_.threads + limits_.queue) {
      co_return Encode(Later(429, "Too many requests: the server is busy"), message, NewUuid());
    }
    ++waiting_;
    auto answer = co_await asio::co_spawn(
        pool_,
        [&]() -> asio::awaitable<Answer> {
          Request request;
          request.remote = remote;
          auto response = Decode(message, request) ? Call(request) : Plain(400, "The request's target is not valid");
          co_return Encode(response, message, request.request_id);
        },
        asio::use_awaitable);
    --waiting_;
    co_return answer;
  }

  Response Call(const Request& request) const {
    try {
      return handler_(request);
    } catch (const std::exception& error) {
      Log(LogLevel::kError, "handler_threw", {{"request_id", request.request_id}, {"error", error.what()}});
      return Plain(500, "Internal Server Error");
    }
  }

  HttpLimits limits_;
  std::unique_ptr<TlsCertificate> certificate_;  ///< null: plain HTTP
  Handler handler_;
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  asio::thread_pool pool_;
  asio::steady_timer timer_{context_};
  int waiting_ = 0, answering_ = 0, connections_ = 0;  ///< touched by the context's thread alone
  bool stopping_ = false;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Listen(const std::string& host, int port, HttpLimits limits,
                                                       const TlsFiles& tls, Handler handler) {
  if (tls.certificate.empty() != tls.key.empty())
    return Fail(ErrorKind::kInvalid, "server.tls_certificate and server.tls_key go together: set both, or none");
  std::unique_ptr<TlsCertificate> certificate;
  if (!tls.certificate.empty()) {
    ASSIGN(certificate, TlsCertificate::Open(tls));
  }
  auto server = std::make_unique<Server>(limits, std::move(certificate), std::move(handler));
  TRY(server->Bind(host, port));
  return server;
}

}  // namespace slipway::server
