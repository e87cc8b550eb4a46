#include "http/exchange.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/format.h"
#include "http/connection.h"

namespace slipway::http {
namespace {

namespace asio = boost::asio;

/// An answer that somebody waits for: of the thread's and the timer's the first one counts. Both arrive on the I/O
/// thread.
template <typename Waiter>
struct Awaited {
  Awaited(Waiter who, const asio::any_io_executor& executor) : waiter(std::move(who)), timer(executor) {}

  void Give(std::exception_ptr thrown, Response response) {
    if (given.exchange(true)) return;
    timer.cancel();
    std::move(waiter)(thrown, std::move(response));
  }

  Waiter waiter;
  asio::steady_timer timer;
  std::atomic<bool> given = false;  ///< read by the thread too: what nobody waits for any more is not begun
};

Response TookTooLong(bool change) {
  if (!change) return TryLater(503, "The answer takes too long: try again later");
  return Refusal(503, "The answer takes too long; the change may still be made: look before you repeat it");
}

/// Runs `work` on a thread of the pool and goes on where the coroutine runs, at `late` with the answer to those who
/// waited too long.
Awaitable<Response> RunOn(Shared& shared, std::function<Response()> work, Response late) {
  auto start = [&shared](auto waiter, std::function<Response()> run, Response instead) {
    asio::any_io_executor executor = asio::get_associated_executor(waiter);
    auto awaited = std::make_shared<Awaited<decltype(waiter)>>(std::move(waiter), executor);
    awaited->timer.expires_after(std::chrono::seconds(shared.limits.answer_seconds));
    awaited->timer.async_wait([awaited, instead = std::move(instead)](const auto& cancelled) mutable {
      if (!cancelled) awaited->Give(nullptr, std::move(instead));
    });
    ++shared.on_threads;
    auto back = asio::make_work_guard(executor);
    asio::post(shared.threads, [&shared, awaited, run = std::move(run), back = std::move(back)]() mutable {
      Response response;
      std::exception_ptr thrown;
      try {
        if (!awaited->given) response = run();
      } catch (...) {
        thrown = std::current_exception();
      }
      // The last reference goes with it: what waits, a coroutine, must not end on this thread.
      auto give = [&shared, awaited = std::move(awaited), thrown, response = std::move(response)]() mutable {
        --shared.on_threads;
        awaited->Give(thrown, std::move(response));
      };
      asio::post(back.get_executor(), std::move(give));
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr, Response)>(
      start, asio::use_awaitable, std::move(work), std::move(late));
}

}  // namespace

Exchange::~Exchange() { connection_.shared_.body_bytes -= held_; }

bool Exchange::HasBody() const { return !connection_.reader_.AtEnd(); }

Awaitable<std::expected<std::string, Response>> Exchange::ReadBody() {
  auto& shared = connection_.shared_;
  auto& deadline = connection_.transport_.deadline;
  Waiting::Place sending(shared.sending, connection_);
  auto begun = Deadline::Clock::now();
  std::string body;
  while (true) {
    auto earned = std::chrono::milliseconds(body.size() * 1000 / std::max<size_t>(1, shared.limits.least_rate));
    deadline.SetAt(
        begun + std::min<std::chrono::milliseconds>(connection_.Patience(), connection_.PatienceForHeads() + earned));
    auto piece = co_await connection_.ReadPiece(shared.limits.body_bytes);
    if (!piece) co_return std::unexpected(std::move(piece.error()));
    if (piece->empty()) break;
    held_ += piece->size();
    shared.body_bytes += piece->size();
    if (shared.body_bytes > shared.limits.bodies_bytes)
      co_return std::unexpected(TryLater(503, "The bodies of all requests together are too large: try again later"));
    body += *piece;
  }
  deadline.Clear();
  co_return body;
}

Awaitable<std::expected<std::string_view, Response>> Exchange::ReadPiece(uint64_t most_bytes) {
  Waiting::Place sending(connection_.shared_.sending, connection_);
  connection_.transport_.deadline.Set(connection_.Patience());
  auto piece = co_await connection_.ReadPiece(most_bytes);
  connection_.transport_.deadline.Clear();
  co_return piece;
}

Awaitable<void> Exchange::Gone() { return connection_.reader_.Gone(); }

Awaitable<Response> Exchange::OnThread(std::function<Response()> work) {
  auto& shared = connection_.shared_;
  if (shared.on_threads >= shared.limits.threads + shared.limits.queue)
    co_return TryLater(429, "Too many requests: the server is busy");
  bool change = request.method != "GET" && request.method != "HEAD";
  auto late = TookTooLong(change);
  co_return co_await RunOn(shared, std::move(work), std::move(late));
}

Awaitable<Result<>> Writer::Write(std::string_view piece) {
  if (piece.empty()) co_return Result<>();  // in chunked coding an empty piece would be the end
  auto text = chunked_ ? fmt::format("{:x}\r\n{}\r\n", piece.size(), piece) : std::string(piece);
  if (co_await connection_.Write(text, {})) co_return Result<>();
  co_return Fail(ErrorKind::kUnavailable, "the client has gone, or takes nothing");
}

Handler Blocking(std::function<Response(const Request&)> answer) {
  return [answer = std::move(answer)](Exchange& exchange) -> Awaitable<Response> {
    auto body = co_await exchange.ReadBody();
    if (!body) co_return std::move(body.error());
    auto request = std::make_shared<Request>(exchange.request);
    request->body = std::move(*body);
    std::function<Response()> work = [&answer, request] { return answer(*request); };
    co_return co_await exchange.OnThread(std::move(work));
  };
}

}  // namespace slipway::http
