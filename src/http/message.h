#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace boost::asio {
template <typename T, typename Executor>
class awaitable;
class any_io_executor;
}  // namespace boost::asio

namespace slipway::http {

/// What a coroutine of Asio returns, named here so that most files need not read Asio's headers.
template <typename T>
using Awaitable = boost::asio::awaitable<T, boost::asio::any_io_executor>;

/// A request as handlers see it: the path's segments and the query are decoded, header names are lower case.
struct Request {
  std::string method;
  std::vector<std::string> path;
  std::map<std::string, std::string> query, headers;  ///< of repeated ones the last counts
  std::map<std::string, std::string> parameters;      ///< the parts of the path that a route names; the router fills it
  std::string body;                                   ///< empty for handlers that read the body themselves (exchange.h)
  std::string request_id;  ///< the client's X-Request-Id where it is a short word, else a new UUID
  std::string remote;      ///< the client's address

  std::optional<std::string_view> Find(const std::string& name) const {
    auto found = headers.find(name);
    return found == headers.end() ? std::nullopt : std::optional<std::string_view>(found->second);
  }
  std::string_view Header(const std::string& name) const { return Find(name).value_or(std::string_view{}); }
};

class Writer;

struct Response {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";  ///< empty: no Content-Type
  std::map<std::string, std::string> headers;

  /// Where set, the body is what this coroutine writes, sent as it is written (exchange.h); `body` is not used.
  std::function<Awaitable<void>(Writer&)> stream{};
  /// A stream that goes on until one side ends it, such as events: a server that stops ends it and does not wait.
  bool endless = false;
};

/// `{"detail": "…"}`, as every error of the API looks. `detail` must need no escaping in JSON.
Response Refusal(int status, std::string_view detail);

/// A Refusal that asks the client to try again in a second: 429 and 503.
Response TryLater(int status, std::string_view detail);

}  // namespace slipway::http
