#include "http/message.h"

#include <boost/asio/awaitable.hpp>

#include "base/format.h"

namespace slipway::http {

Response Refusal(int status, std::string_view detail) {
  return {.status = status, .body = fmt::format(R"({{"detail":"{}"}})", detail)};
}

Response TryLater(int status, std::string_view detail) {
  auto response = Refusal(status, detail);
  response.headers["Retry-After"] = "1";
  return response;
}

}  // namespace slipway::http
