#include "http/response_head.h"

#include <algorithm>
#include <boost/beast/http/status.hpp>

#include "base/format.h"

namespace slipway::http {
namespace {

void Add(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ");
  auto start = head.size();
  head.append(value);
  // Text of elsewhere must not end the field and begin another one.
  std::replace_if(
      head.begin() + static_cast<std::ptrdiff_t>(start), head.end(),
      [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  head += "\r\n";
}

}  // namespace

bool MayHaveBody(int status) { return status >= 200 && status != 204 && status != 304; }

std::string ResponseHead(const Response& response, const HeadOptions& options) {
  std::string head = options.http11 ? "HTTP/1.1 " : "HTTP/1.0 ";
  auto reason = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(response.status));
  head.append(std::to_string(response.status)).append(" ").append(reason.data(), reason.size()).append("\r\n");
  if (!response.content_type.empty()) Add(head, "Content-Type", response.content_type);
  if (!options.request_id.empty()) Add(head, "X-Request-Id", options.request_id);
  for (const auto& [name, value] : response.headers) Add(head, name, value);
  if (options.http11 && !options.keep_alive) Add(head, "Connection", "close");
  if (!options.http11 && options.keep_alive) Add(head, "Connection", "keep-alive");
  if (options.framing == Framing::kChunked) Add(head, "Transfer-Encoding", "chunked");
  if (options.framing == Framing::kLength && MayHaveBody(response.status))
    Add(head, "Content-Length", std::to_string(response.body.size()));
  return head += "\r\n";
}

}  // namespace slipway::http
