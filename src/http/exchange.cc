#include "http/exchange.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/format.h"
#include "http/connection.h"

namespace slipway::http {
namespace {

namespace asio = boost::asio;

/// Runs `work` on a thread of the pool and goes on where the coroutine runs.
Awaitable<Response> RunOn(asio::thread_pool& threads, std::function<Response()> work) {
  auto start = [&threads](auto waiting, std::function<Response()> run) {
    auto back = asio::make_work_guard(asio::get_associated_executor(waiting));
    asio::post(threads, [waiting = std::move(waiting), run = std::move(run), back = std::move(back)]() mutable {
      Response response;
      std::exception_ptr thrown;
      try {
        response = run();
      } catch (...) {
        thrown = std::current_exception();
      }
      asio::post(back.get_executor(), [waiting = std::move(waiting), thrown, response = std::move(response)]() mutable {
        std::move(waiting)(thrown, std::move(response));
      });
    });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr, Response)>(
      start, asio::use_awaitable, std::move(work));
}

/// A place among those that wait for a thread.
struct Place {
  explicit Place(int& counter) : count(counter) { ++count; }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() { --count; }
  int& count;
};

}  // namespace

Awaitable<std::expected<std::string, Response>> Exchange::ReadBody() {
  std::string body;
  connection_.transport_.deadline.Set(connection_.Patience());
  while (true) {
    auto piece = co_await connection_.ReadPiece(connection_.shared_.limits.body_bytes);
    if (!piece) co_return std::unexpected(std::move(piece.error()));
    if (piece->empty()) break;
    body += *piece;
  }
  connection_.transport_.deadline.Clear();
  co_return body;
}

Awaitable<std::expected<std::string_view, Response>> Exchange::ReadPiece(uint64_t most_bytes) {
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
  Place place(shared.on_threads);
  co_return co_await RunOn(shared.threads, std::move(work));
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
    exchange.request.body = std::move(*body);
    co_return co_await exchange.OnThread([&] { return answer(exchange.request); });
  };
}

}  // namespace slipway::http
