#include "http/race.h"

#include <boost/asio/experimental/awaitable_operators.hpp>

namespace slipway::http {
namespace {

/// To the operator below an exception is not an end: it would go on waiting for the other one.
Awaitable<void> Quietly(Awaitable<void> work) {
  try {
    co_await std::move(work);
  } catch (const std::exception&) {  // also operation_aborted, of the one that is cancelled
  }
}

}  // namespace

Awaitable<bool> Race(Awaitable<void> first, Awaitable<void> second) {
  using boost::asio::experimental::awaitable_operators::operator||;
  auto winner = co_await (Quietly(std::move(first)) || Quietly(std::move(second)));
  co_return winner.index() == 0;
}

}  // namespace slipway::http
