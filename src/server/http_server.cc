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
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>
#include <array>

#include "base/format.h"
#include "base/ids.h"
#include "base/log.h"
#include "server/http.h"

namespace slipway::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Message = http::request<http::string_body>;
using Answer = http::response<http::string_body>;

constexpr int kSecondsToFinish = 10;  // for answers in flight, when the server stops

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

/// False for a target that is no valid path.
bool Decode(const Message& message, Request& request) {
  auto target = boost::urls::parse_origin_form(message.target());
  if (!target) return false;
  request.method = std::string(message.method_string());
  for (auto segment : target->segments()) request.path.push_back(segment);
  for (auto parameter : target->params()) request.query[parameter.key] = parameter.value;
  for (const auto& field : message) request.headers[LowerCase(field.name_string())] = std::string(field.value());
  request.body = message.body();
  request.request_id = NewUuid();
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

class Server final : public HttpServer {
 public:
  Server(HttpLimits limits, Handler handler)
      : limits_(limits), handler_(std::move(handler)), acceptor_(context_), pool_(static_cast<size_t>(limits.threads)) {}

  Result<> Bind(const std::string& host, int port) {
    boost::system::error_code code;
    auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, code);
    if (code) return Fail(ErrorKind::kInvalid, "'{}' is no address", host);
    if (limits_.loopback_only && !address.is_loopback())
      return Fail(ErrorKind::kInvalid, "{} is not loopback: without sign-in configured, Slipway listens on 127.0.0.1 or ::1 only", host);
    tcp::endpoint endpoint(address, static_cast<unsigned short>(port));
    acceptor_.open(endpoint.protocol(), code);
    if (!code) acceptor_.set_option(asio::socket_base::reuse_address(true), code);
    if (!code) acceptor_.bind(endpoint, code);
    if (!code) acceptor_.listen(asio::socket_base::max_listen_connections, code);
    if (code) return Fail(ErrorKind::kUnavailable, "listen on {}:{}: {}", host, port, code.message());
    return {};
  }

  int port() const override { return acceptor_.local_endpoint().port(); }

  void Run() override {
    asio::co_spawn(context_, Accept(), asio::detached);
    context_.run();
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
      auto socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, code));
      if (!code) asio::co_spawn(context_, Serve(beast::tcp_stream(std::move(socket))), asio::detached);
    }
  }

  asio::awaitable<void> Serve(beast::tcp_stream stream) {
    beast::flat_buffer buffer;
    boost::system::error_code code;
    auto token = asio::redirect_error(asio::use_awaitable, code);
    bool open = true;
    auto peer = stream.socket().remote_endpoint(code);
    auto remote = code ? std::string() : peer.address().to_string();
    while (open) {
      http::request_parser<http::string_body> parser;
      parser.body_limit(limits_.body_bytes);
      parser.header_limit(static_cast<std::uint32_t>(limits_.header_bytes));
      stream.expires_after(std::chrono::seconds(limits_.read_seconds));
      co_await http::async_read(stream, buffer, parser, token);
      Answer answer;
      ++answering_;
      if (code == http::error::body_limit || code == http::error::header_limit) {
        bool body = code == http::error::body_limit;
        answer = Encode(Plain(body ? 413 : 431, body ? "Request body too large" : "Request header too large"), parser.get(), NewUuid());
        answer.keep_alive(false);
      } else if (code) {
        --answering_;
        break;
      } else {
        answer = co_await Handle(parser.release(), remote);
      }
      stream.expires_after(std::chrono::seconds(limits_.read_seconds));
      if (stopping_) answer.keep_alive(false);
      open = answer.keep_alive();
      co_await http::async_write(stream, answer, token);
      --answering_;
      if (code) break;
    }
    stream.socket().shutdown(tcp::socket::shutdown_send, code);
    co_await Linger(stream);
  }

  /// Reads what a client is still sending for a moment: closing at once would reset the connection before it saw the answer.
  static asio::awaitable<void> Linger(beast::tcp_stream& stream) {
    boost::system::error_code code;
    std::array<char, 16384> ignored;
    stream.expires_after(std::chrono::seconds(2));
    for (size_t total = 0; !code && total < (size_t{8} << 20);)
      total += co_await stream.async_read_some(asio::buffer(ignored), asio::redirect_error(asio::use_awaitable, code));
  }

  /// On the pool, then back.
  asio::awaitable<Answer> Handle(Message message, std::string remote) {
    if (waiting_ >= limits_.threads + limits_.queue) {
      auto busy = Plain(429, "Too many requests: the server is busy");
      busy.headers["Retry-After"] = "1";
      co_return Encode(busy, message, NewUuid());
    }
    ++waiting_;
    co_await asio::post(pool_, asio::use_awaitable);
    Request request;
    request.remote = remote;
    auto response = Decode(message, request) ? Call(request) : Plain(400, "The request's target is not valid");
    co_await asio::post(context_, asio::use_awaitable);
    --waiting_;
    co_return Encode(response, message, request.request_id);
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
  Handler handler_;
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  asio::thread_pool pool_;
  asio::steady_timer timer_{context_};
  int waiting_ = 0, answering_ = 0;  ///< touched by the context's thread alone
  bool stopping_ = false;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Listen(const std::string& host, int port, HttpLimits limits, Handler handler) {
  auto server = std::make_unique<Server>(limits, std::move(handler));
  TRY(server->Bind(host, port));
  return server;
}

}  // namespace slipway::server
