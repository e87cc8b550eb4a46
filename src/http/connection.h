#pragma once

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include "http/exchange.h"
#include "http/limits.h"
#include "http/request_reader.h"
#include "http/response_head.h"
#include "http/transport.h"
#include "http/waiting.h"

namespace slipway::http {

/// What all connections of a server share; `threads` aside, touched by its I/O thread alone.
struct Shared {
  Limits limits;
  Handler handler;
  boost::asio::thread_pool& threads;
  boost::asio::steady_timer& stop;  ///< never fires; cancelled when the server stops
  int on_threads = 0;               ///< answers that run on a thread, or wait for one
  int answering = 0;
  int connections = 0;
  size_t body_bytes = 0;          ///< of whole bodies that are held
  Waiting idle, sending, taking;  ///< for a request, a body, and an answer to be taken
  bool stopping = false;

  /// Makes room for a connection at the cost of one that only waits for its client; false where there is none.
  bool MakeRoom() const { return idle.CutLongest() || sending.CutLongest() || taking.CutLongest(); }
};

/// One connection: answers request after request. Its coroutine must not outlive `shared` and `transport`.
class Connection {
 public:
  /// Without `room` for it, its first request is refused, unless there is room by then.
  Connection(Shared& shared, Transport& transport, bool room)
      : shared_(shared), transport_(transport), reader_(transport, shared.limits), room_(room) {}

  /// Until either side has had enough.
  Awaitable<void> Serve();

  /// Ends it at once; false where that was done before.
  bool Cut();

 private:
  friend class Exchange;
  friend class Writer;

  Awaitable<void> Refuse(const Response& response);
  Awaitable<bool> Open();
  Awaitable<std::expected<Request, Refused>> NextRequest(bool first);
  Awaitable<bool> Answer(Request request);
  Awaitable<Response> Handle(Exchange& exchange);
  Awaitable<bool> Send(const Response& response, bool head_only);
  Awaitable<bool> SendStream(const Response& response, const HeadOptions& options);
  Awaitable<void> Produce(const Response& response, Writer& writer, bool& ended);
  Awaitable<void> Unwanted(bool endless, bool& gone);

  Awaitable<std::expected<std::string_view, Response>> ReadPiece(uint64_t most_bytes);
  Awaitable<bool> Write(std::string_view first, std::string_view second);
  std::chrono::seconds Patience() const { return std::chrono::seconds(shared_.limits.read_seconds); }
  std::chrono::seconds PatienceForHeads() const {
    return std::min(Patience(), std::chrono::seconds(shared_.limits.header_seconds));
  }

  Shared& shared_;
  Transport& transport_;
  RequestReader reader_;
  std::string remote_;
  std::string request_id_;  ///< of the request that is being answered
  bool lost_ = false;       ///< the client has gone: nobody waits for an answer
  bool room_, cut_ = false;
};

}  // namespace slipway::http
