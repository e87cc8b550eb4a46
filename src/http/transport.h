#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "http/deadline.h"
#include "http/message.h"

namespace slipway::http {

/// The bytes of one connection, as they are or over TLS. Reading and writing may go on at the same time. After
/// `deadline` everything fails.
class Transport {
 public:
  virtual ~Transport() = default;
  /// False where the client turns out not to speak what it should: it gets no answer.
  virtual Awaitable<bool> Open() = 0;
  /// How many bytes came; 0: the end, whatever the reason.
  virtual Awaitable<size_t> ReadSome(boost::asio::mutable_buffer into) = 0;
  /// Writes all of both; false when that failed.
  virtual Awaitable<bool> Write(std::string_view first, std::string_view second) = 0;
  /// Says that nothing follows, and waits a moment for the client to have seen it.
  virtual Awaitable<void> Close() = 0;

  /// Closes at once: what is read and written now fails.
  void Cut();

  std::string RemoteAddress() const;

 protected:
  explicit Transport(boost::asio::ip::tcp::socket socket) : socket_(std::move(socket)), deadline(socket_) {}
  boost::asio::ip::tcp::socket socket_;

 public:
  Deadline deadline;
};

std::unique_ptr<Transport> PlainTransport(boost::asio::ip::tcp::socket socket);

/// `context` has the certificate, for as long as the connection lasts.
std::unique_ptr<Transport> TlsTransport(boost::asio::ip::tcp::socket socket,
                                        std::shared_ptr<boost::asio::ssl::context> context);

}  // namespace slipway::http
