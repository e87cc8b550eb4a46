#include "http/transport.h"

#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace slipway::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::seconds kToClose{2};
constexpr size_t kMostIgnored = size_t{8} << 20;  // bytes of a client that sends on after its answer

class Plain final : public Transport {
 public:
  explicit Plain(tcp::socket socket) : Transport(std::move(socket)) {}

  Awaitable<bool> Open() override { co_return true; }

  Awaitable<size_t> ReadSome(asio::mutable_buffer into) override {
    error_code code;
    size_t got = co_await socket_.async_read_some(into, asio::redirect_error(asio::use_awaitable, code));
    co_return code ? 0 : got;
  }

  Awaitable<bool> Write(std::string_view first, std::string_view second) override {
    error_code code;
    std::array<asio::const_buffer, 2> pieces{asio::buffer(first), asio::buffer(second)};
    co_await asio::async_write(socket_, pieces, asio::redirect_error(asio::use_awaitable, code));
    co_return !code;
  }

  /// Closing while the client still sends would reset the connection before it saw the answer.
  Awaitable<void> Close() override {
    error_code ignored;
    deadline.Set(kToClose);
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    std::array<char, 16384> bytes;
    for (size_t total = 0; total < kMostIgnored;) {
      size_t got = co_await ReadSome(asio::buffer(bytes));
      if (got == 0) break;
      total += got;
    }
  }
};

class Tls final : public Transport {
 public:
  Tls(tcp::socket socket, std::shared_ptr<asio::ssl::context> context)
      : Transport(std::move(socket)), context_(std::move(context)), stream_(socket_, *context_) {}

  Awaitable<bool> Open() override {
    error_code code;
    co_await stream_.async_handshake(asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, code));
    co_return !code;
  }

  Awaitable<size_t> ReadSome(asio::mutable_buffer into) override {
    error_code code;
    size_t got = co_await stream_.async_read_some(into, asio::redirect_error(asio::use_awaitable, code));
    co_return code ? 0 : got;
  }

  Awaitable<bool> Write(std::string_view first, std::string_view second) override {
    error_code code;
    std::array<asio::const_buffer, 2> pieces{asio::buffer(first), asio::buffer(second)};
    co_await asio::async_write(stream_, pieces, asio::redirect_error(asio::use_awaitable, code));
    co_return !code;
  }

  Awaitable<void> Close() override {
    error_code ignored;
    deadline.Set(kToClose);
    co_await stream_.async_shutdown(asio::redirect_error(asio::use_awaitable, ignored));
  }

 private:
  std::shared_ptr<asio::ssl::context> context_;
  asio::ssl::stream<tcp::socket&> stream_;
};

}  // namespace

void Transport::Cut() {
  error_code ignored;
  socket_.close(ignored);
}

std::string Transport::RemoteAddress() const {
  error_code code;
  auto remote = socket_.remote_endpoint(code);
  return code ? std::string() : remote.address().to_string();
}

std::unique_ptr<Transport> PlainTransport(tcp::socket socket) { return std::make_unique<Plain>(std::move(socket)); }

std::unique_ptr<Transport> TlsTransport(tcp::socket socket, std::shared_ptr<asio::ssl::context> context) {
  return std::make_unique<Tls>(std::move(socket), std::move(context));
}

}  // namespace slipway::http
