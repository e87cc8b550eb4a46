#include "http/connection.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "base/ids.h"
#include "base/log.h"
#include "http/race.h"

namespace slipway::http {
namespace {

namespace asio = boost::asio;

constexpr size_t kWrittenTogether = size_t{8} << 10;  // a body up to here is copied behind its head

/// Counts something as long as it lives.
struct Counted {
  explicit Counted(int& counter) : count(counter) { ++count; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --count; }
  int& count;
};

void LogThrown(std::string_view event, const std::exception& error, const std::string& request_id) {
  Log(LogLevel::kError, event, {{"request_id", request_id}, {"error", error.what()}});
}

Awaitable<void> Wait(asio::steady_timer& timer) {
  boost::system::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace

bool Waiting::CutLongest() const {
  return std::ranges::any_of(connections_, [](Connection* connection) { return connection->Cut(); });
}

bool Connection::Cut() {
  if (std::exchange(cut_, true)) return false;
  transport_.Cut();
  return true;
}

Awaitable<bool> Connection::Open() {
  Waiting::Place idle(shared_.idle, *this);
  transport_.deadline.Set(PatienceForHeads());
  co_return co_await transport_.Open();
}

Awaitable<std::expected<Request, Refused>> Connection::NextRequest(bool first) {
  Waiting::Place idle(shared_.idle, *this);
  transport_.deadline.Set(first ? PatienceForHeads() : Patience());
  co_return co_await reader_.Next();
}

Awaitable<void> Connection::Serve() {
  Counted open(shared_.connections);
  remote_ = transport_.RemoteAddress();
  if (!co_await Open()) co_return;
  for (bool more = true, first = true; more; first = false) {
    auto request = co_await NextRequest(first);
    if (!request) {
      if (!request.error().answer) co_return;
      co_await Refuse(*request.error().answer);
      break;
    }
    if (cut_) co_return;
    room_ |= shared_.connections <= shared_.limits.connections;
    if (!room_) {
      co_await Refuse(TryLater(503, "Too many connections"));
      break;
    }
    more = co_await Answer(std::move(*request));
  }
  if (lost_) co_return;
  Waiting::Place idle(shared_.idle, *this);
  co_await transport_.Close();
}

/// Answers what never reaches a handler, as the last word on this connection.
Awaitable<void> Connection::Refuse(const Response& response) {
  auto id = NewUuid();
  auto head = ResponseHead(response, {.keep_alive = false, .request_id = id});
  co_await Write(head, response.body);
}

/// False when this was the connection's last answer.
Awaitable<bool> Connection::Answer(Request request) {
  Counted answering(shared_.answering);
  request.remote = remote_;
  request_id_ = request.request_id;
  bool head_only = request.method == "HEAD";
  transport_.deadline.Clear();
  Exchange exchange(*this, std::move(request));
  auto response = co_await Handle(exchange);
  if (lost_) co_return false;
  co_return co_await Send(response, head_only);
}

Awaitable<Response> Connection::Handle(Exchange& exchange) {
  try {
    co_return co_await shared_.handler(exchange);
  } catch (const std::exception& error) {
    LogThrown("handler_threw", error, request_id_);
  }
  co_return Refusal(500, "Internal Server Error");
}

Awaitable<bool> Connection::Send(const Response& response, bool head_only) {
  // A body that the handler left unread would be taken for the next request.
  bool keep_alive = reader_.KeepsAlive() && reader_.AtEnd() && !shared_.stopping;
  HeadOptions options{reader_.IsHttp11(), keep_alive, Framing::kLength, request_id_};
  bool no_body = head_only || !MayHaveBody(response.status);
  if (response.stream && !no_body) {
    options.framing = options.http11 ? Framing::kChunked : Framing::kClose;
    options.keep_alive &= options.http11;
    co_return co_await SendStream(response, options) && options.keep_alive && !shared_.stopping;
  }
  auto head = ResponseHead(response, options);
  std::string_view body = no_body ? std::string_view() : response.body;
  if (body.size() <= kWrittenTogether) {
    head += body;
    body = {};
  }
  co_return co_await Write(head, body) && keep_alive;
}

/// False when the stream did not come to an end that the client can tell from a broken one.
Awaitable<bool> Connection::SendStream(const Response& response, const HeadOptions& options) {
  auto head = ResponseHead(response, options);
  if (!co_await Write(head, {})) co_return false;
  Writer writer(*this, options.framing == Framing::kChunked);
  bool ended = false, gone = false;
  if (co_await Race(Produce(response, writer, ended), Unwanted(response.endless, gone))) {
    if (!ended) lost_ = true;  // the body is not whole: closing without a word tells the client
  } else {
    lost_ |= gone;
  }
  if (lost_) co_return false;
  if (options.framing != Framing::kChunked) co_return true;
  co_return co_await Write("0\r\n\r\n", {});
}

/// Runs what writes the stream; `ended` when it came to its end.
Awaitable<void> Connection::Produce(const Response& response, Writer& writer, bool& ended) {
  try {
    co_await response.stream(writer);
    ended = true;
  } catch (const boost::system::system_error& error) {
    if (error.code() != asio::error::operation_aborted) LogThrown("stream_threw", error, request_id_);
  } catch (const std::exception& error) {
    LogThrown("stream_threw", error, request_id_);
  }
}

/// Returns when nobody wants the stream any more: the client has `gone`, or the server stops.
Awaitable<void> Connection::Unwanted(bool endless, bool& gone) {
  if (endless && shared_.stopping) co_return;
  gone = true;
  if (endless)
    gone = co_await Race(reader_.Gone(), Wait(shared_.stop));
  else
    co_await reader_.Gone();
}

Awaitable<std::expected<std::string_view, Response>> Connection::ReadPiece(uint64_t most_bytes) {
  auto piece = co_await reader_.ReadPiece(most_bytes);
  if (piece) co_return *piece;
  lost_ = !piece.error().answer;
  co_return std::unexpected(lost_ ? Refusal(400, "The client has gone") : std::move(*piece.error().answer));
}

/// The deadline is for the client to take what is written.
Awaitable<bool> Connection::Write(std::string_view first, std::string_view second) {
  Waiting::Place taking(shared_.taking, *this);
  transport_.deadline.Set(Patience());
  bool written = co_await transport_.Write(first, second);
  transport_.deadline.Clear();
  lost_ |= !written;
  co_return written;
}

}  // namespace slipway::http
