#include "http/turns.h"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace slipway::http {

Turns::Turn::~Turn() {
  asio::post(executor_, [&turns = turns_, who = std::move(who_)] { turns.GiveBack(who); });
}

Awaitable<std::shared_ptr<Turns::Turn>> Turns::Take(std::string who) {
  auto executor = co_await asio::this_coro::executor;
  auto& caller = callers_[who];
  if (caller.in_hand < at_once_) {
    ++caller.in_hand;
  } else if (caller.waiting.size() >= most_waiting_) {
    co_return nullptr;
  } else {
    auto turn = std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
    caller.waiting.push_back(turn);
    boost::system::error_code given;
    co_await turn->async_wait(asio::redirect_error(asio::use_awaitable, given));  // it was counted all the time
  }
  co_return std::make_shared<Turn>(*this, std::move(executor), std::move(who));
}

void Turns::GiveBack(const std::string& who) {
  auto found = callers_.find(who);
  auto& caller = found->second;
  if (!caller.waiting.empty()) {
    caller.waiting.front()->cancel();
    caller.waiting.pop_front();
  } else if (--caller.in_hand == 0) {
    callers_.erase(found);
  }
}

}  // namespace slipway::http
