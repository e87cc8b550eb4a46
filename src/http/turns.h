#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include "http/exchange.h"

namespace slipway::http {

namespace asio = boost::asio;

/// Keeps the threads from being one caller's: each may have some requests in hand at once, and some more that wait for
/// their turn. For coroutines on the I/O thread, all of which it outlives.
class Turns {
 public:
  /// `at_once`, `waiting`: of each caller.
  Turns(size_t at_once, size_t waiting) : at_once_(at_once), most_waiting_(waiting) {}

  /// The right to be in hand, which ends with it, on whatever thread that is.
  class Turn {
   public:
    Turn(Turns& turns, asio::any_io_executor executor, std::string who)
        : turns_(turns), executor_(std::move(executor)), who_(std::move(who)) {}
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn();

   private:
    Turns& turns_;
    asio::any_io_executor executor_;
    std::string who_;
  };

  /// Waits for a turn of `who`; nothing where too many of theirs wait already.
  Awaitable<std::shared_ptr<Turn>> Take(std::string who);

 private:
  struct Caller {
    size_t in_hand = 0;
    std::deque<std::shared_ptr<asio::steady_timer>> waiting;
  };
  void GiveBack(const std::string& who);
  size_t at_once_, most_waiting_;
  std::unordered_map<std::string, Caller> callers_;  ///< those with something in hand
};

}  // namespace slipway::http
