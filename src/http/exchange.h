#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/message.h"

/// What coroutine handlers work with. They run on the server's one I/O thread: they may wait, and must not block.
namespace slipway::http {

class Connection;

/// One request on its way to its answer.
class Exchange {
 public:
  Exchange(Connection& connection, Request taken) : request(std::move(taken)), connection_(connection) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange();

  Request request;  ///< without its body

  /// Whether there is a body that has not been read to its end.
  bool HasBody() const;

  /// The whole body, of at most Limits::body_bytes; or the answer to give instead: 413, 400 where what arrives is not
  /// HTTP, 503 where all bodies together are too large. It must come as fast as Limits asks for.
  Awaitable<std::expected<std::string, Response>> ReadBody();

  /// The next piece of the body, empty at its end. It is valid until the next call. All pieces together may have
  /// `most_bytes`; a client may take as long as it likes as long as bytes keep coming. A handler that reads slowly
  /// slows the client down.
  Awaitable<std::expected<std::string_view, Response>> ReadPiece(uint64_t most_bytes);

  /// Returns once the client has closed the connection. For `Race`: a handler that waits for something slow need not
  /// wait on. Not while the body is being read.
  Awaitable<void> Gone();

  /// Runs `work`, which may block, on one of the server's threads; 429 where too many wait for one already. After
  /// Limits::answer_seconds the answer is 503, and `work` may still go on, or begin no more: it owns what it uses.
  /// (Give it a name before: g++ 12 destroys what a lambda inside a co_await holds twice.)
  Awaitable<Response> OnThread(std::function<Response()> work);

 private:
  Connection& connection_;
  size_t held_ = 0;  ///< bytes of the body, as far as it was read as a whole
};

/// Takes the body of an answer that streams.
class Writer {
 public:
  Writer(Connection& connection, bool chunked) : connection_(connection), chunked_(chunked) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// Returns when the kernel has taken `piece`, so that what writes is as fast as what reads. kUnavailable when the
  /// client has gone, or takes nothing for Limits::read_seconds.
  Awaitable<Result<>> Write(std::string_view piece);

 private:
  Connection& connection_;
  bool chunked_;  ///< false for HTTP/1.0, where the end of the connection is the end of the body
};

/// Answers a request. It must outlive the coroutine that it returns.
using Handler = std::function<Awaitable<Response>(Exchange&)>;

/// A handler that reads the whole body and runs `answer`, which may block, on one of the server's threads.
Handler Blocking(std::function<Response(const Request&)> answer);

}  // namespace slipway::http
