#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "http/exchange.h"

/// Server-sent events, as the WHATWG's HTML standard has them ("text/event-stream").
namespace slipway::http {

/// One event as it is sent. `data` is any text, whose lines end with \n where they arrive; `name`, where empty, means
/// "message"; `id` is what a client that comes again sends as Last-Event-ID. Line ends in the latter two are left out.
std::string EventText(std::string_view data, std::string_view name = {}, std::string_view id = {});

class EventWriter {
 public:
  explicit EventWriter(Writer& writer) : writer_(writer) {}
  /// An event; kUnavailable when the client has gone.
  Awaitable<Result<>> Send(std::string_view data, std::string_view name = {}, std::string_view id = {});
  /// A line that clients skip: it keeps proxies from closing a connection on which nothing happens.
  Awaitable<Result<>> KeepAlive();

 private:
  Awaitable<Result<>> SendText(std::string text);
  Writer& writer_;
};

/// An answer that sends events until `send` returns, the client goes or the server stops: then its wait is cancelled.
Response EventStream(std::function<Awaitable<void>(EventWriter&)> send);

}  // namespace slipway::http
