#include "http/deadline.h"

namespace slipway::http {

Deadline::Deadline(boost::asio::ip::tcp::socket& socket) : socket_(socket), timer_(socket.get_executor()) {}

Deadline::~Deadline() { *alive_ = false; }

void Deadline::SetAt(Clock::time_point until) {
  until_ = until;
  if (until_ < armed_) Watch();
}

void Deadline::Watch() {
  armed_ = until_;
  timer_.expires_at(armed_);  // ends the wait before, if there is one
  timer_.async_wait([this, alive = alive_](const boost::system::error_code& code) {
    if (!*alive || code) return;
    armed_ = Clock::time_point::max();
    if (until_ <= Clock::now()) {
      boost::system::error_code ignored;
      socket_.close(ignored);
    } else if (until_ != Clock::time_point::max()) {
      Watch();
    }
  });
}

}  // namespace slipway::http
