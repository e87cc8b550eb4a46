#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <expected>
#include <memory>
#include <optional>
#include <string_view>

#include "http/limits.h"
#include "http/message.h"
#include "http/transport.h"

namespace slipway::http {

/// Why there is no request, or no more of its body: what to answer before the connection closes, or nothing where
/// nobody waits for an answer (the client has gone, or was too slow).
struct Refused {
  std::optional<Response> answer;
};

/// Reads the requests of one connection, one after another.
class RequestReader {
 public:
  RequestReader(Transport& transport, const Limits& limits);
  ~RequestReader();

  /// The next request without its body. The one before must have been read to its end. The transport's deadline is for
  /// its first byte to come; from then on it has Limits::header_seconds.
  Awaitable<std::expected<Request, Refused>> Next();

  /// More of the body, empty at its end; valid until the next call. With `most_bytes` for all of it.
  Awaitable<std::expected<std::string_view, Refused>> ReadPiece(uint64_t most_bytes);

  /// Returns when the client has closed the connection. Meanwhile requests that it sends ahead are kept.
  Awaitable<void> Gone();

  // Of the request that Next gave:
  bool AtEnd() const;       ///< its body has been read
  bool KeepsAlive() const;  ///< the client may send another one
  bool IsHttp11() const;    ///< false: HTTP/1.0

 private:
  class Parser;
  Awaitable<bool> ReadMore();
  std::optional<Refused> Parse();

  Transport& transport_;
  const Limits& limits_;
  boost::beast::flat_buffer buffer_;  ///< bytes that came and are not parsed
  std::unique_ptr<Parser> parser_;    ///< of the current request
  uint64_t body_bytes_ = 0;           ///< of it that were read
};

}  // namespace slipway::http
