#pragma once

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>

namespace slipway::http {

/// Closes a socket when its time is up. Moving the time on, as each request does, only stores it: the timer looks when
/// it fires.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;

  /// `socket` must outlive this.
  explicit Deadline(boost::asio::ip::tcp::socket& socket);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void Set(std::chrono::milliseconds from_now) { SetAt(Clock::now() + from_now); }
  void SetAt(Clock::time_point until);
  /// Only ever makes the time shorter.
  void SetAtMost(std::chrono::milliseconds from_now) { SetAt(std::min(until_, Clock::now() + from_now)); }
  void Clear() { until_ = Clock::time_point::max(); }

 private:
  void Watch();

  boost::asio::ip::tcp::socket& socket_;
  boost::asio::steady_timer timer_;
  Clock::time_point until_ = Clock::time_point::max(), armed_ = Clock::time_point::max();
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  ///< a callback may come when all else is gone
};

}  // namespace slipway::http
