#include "http/request_reader.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <utility>

#include "base/ids.h"
#include "http/target.h"

namespace slipway::http {
namespace {

namespace asio = boost::asio;
namespace wire = boost::beast::http;
using boost::system::error_code;
using View = boost::beast::string_view;

constexpr size_t kReadBytes = size_t{16} << 10;      // at a time
constexpr size_t kMostSentAhead = size_t{64} << 10;  // by a client whose answer is still on its way

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

/// The client's own name for a request, where it can stand in a log and in a header.
std::string RequestId(std::string_view given) {
  auto plain = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == ':'; };
  return !given.empty() && given.size() <= 128 && std::ranges::all_of(given, plain) ? std::string(given) : NewUuid();
}

/// 431; or where the credential is what is too large, 401: nobody gave out such a token. `rest`: from the field on that
/// did not fit.
Response HeaderTooLarge(std::string_view rest) {
  if (LowerCase(rest.substr(0, 13)) != "authorization") return Refusal(431, "Request header too large");
  auto refused = Refusal(401, "the token is too long");
  refused.headers["WWW-Authenticate"] = R"(Bearer realm="slipway", error="invalid_token")";
  return refused;
}

}  // namespace

/// Collects what Beast's parser finds. Its own limit of the body is off: what a body may have is the handler's choice.
class RequestReader::Parser final : public wire::basic_parser<true> {
 public:
  explicit Parser(const Limits& limits) {
    header_limit(static_cast<std::uint32_t>(limits.header_bytes));
    body_limit(boost::none);
  }

  Request request;
  std::string target;
  int version = 11;
  bool expects_continue = false;
  std::string repeated;  ///< a credential that was sent more than once
  std::string piece;     ///< of the body, since the last call of ReadPiece

 private:
  void on_request_impl(wire::verb, View method, View given, int spoken, error_code&) override {
    version = spoken;
    request.method = std::string(method);
    target = std::string(given);
  }
  void on_response_impl(int, View, int, error_code&) override {}
  void on_field_impl(wire::field, View name, View value, error_code&) override {
    // Fields after the body could say other things than those that were decided on.
    if (is_header_done()) return;
    auto field = LowerCase(name);
    // Which of two counts would be for whoever adds one to decide: a gateway may have checked the other.
    if ((field == "authorization" || field == "authorization-psk") && request.Find(field)) repeated = std::string(name);
    auto [at, is_new] = request.headers.try_emplace(field, value);
    if (!is_new) at->second += ", " + std::string(value);  // RFC 9110, section 5.3
  }
  void on_header_impl(error_code& code) override {
    expects_continue = LowerCase(request.Header("expect")) == "100-continue";
    // Where a body in another coding ends cannot be told, and what follows it would be taken for a request.
    if (request.Find("transfer-encoding") && !chunked()) code = wire::error::bad_transfer_encoding;
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(View body, error_code&) override {
    piece.append(body);
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, View, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View body, error_code&) override {
    piece.append(body);
    return body.size();
  }
  void on_finish_impl(error_code&) override {}
};

RequestReader::RequestReader(Transport& transport, const Limits& limits) : transport_(transport), limits_(limits) {}
RequestReader::~RequestReader() = default;

Awaitable<bool> RequestReader::ReadMore() {
  size_t got = co_await transport_.ReadSome(buffer_.prepare(kReadBytes));
  buffer_.commit(got);
  co_return got > 0;
}

/// Parses what there is: a request's head, or a piece of its body.
std::optional<Refused> RequestReader::Parse() {
  error_code code;
  buffer_.consume(parser_->put(buffer_.data(), code));
  if (!code || code == wire::error::need_more) return std::nullopt;
  if (code == wire::error::header_limit) {
    auto rest = buffer_.data();
    return Refused{HeaderTooLarge({static_cast<const char*>(rest.data()), rest.size()})};
  }
  return Refused{Refusal(400, "The request is not HTTP/1.1")};
}

Awaitable<std::expected<Request, Refused>> RequestReader::Next() {
  parser_ = std::make_unique<Parser>(limits_);
  body_bytes_ = 0;
  bool begun = false;
  while (true) {
    if (buffer_.size() > 0) {
      if (!std::exchange(begun, true)) transport_.deadline.SetAtMost(std::chrono::seconds(limits_.header_seconds));
      if (auto refused = Parse()) co_return std::unexpected(std::move(*refused));
      if (parser_->is_header_done()) break;
    }
    if (!co_await ReadMore()) co_return std::unexpected(Refused{});
  }
  if (!parser_->repeated.empty())
    co_return std::unexpected(Refused{Refusal(400, parser_->repeated + " was sent more than once")});
  auto target = ParseTarget(parser_->target);
  if (!target) co_return std::unexpected(Refused{Refusal(400, "The request's target is not valid")});
  if (!target->is_text)
    co_return std::unexpected(
        Refused{Refusal(400, "The request's target is not UTF-8, or has U+0000: no name here is like that")});
  auto request = std::move(parser_->request);
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  request.request_id = RequestId(request.Header("x-request-id"));
  co_return request;
}

Awaitable<std::expected<std::string_view, Refused>> RequestReader::ReadPiece(uint64_t most_bytes) {
  parser_->piece.clear();
  auto refuse = [] { return std::unexpected(Refused{Refusal(413, "Request body too large")}); };
  if (auto length = parser_->content_length(); length && *length > most_bytes) co_return refuse();
  while (!parser_->is_done() && parser_->piece.empty()) {
    bool parsed = buffer_.size() > 0;
    if (parsed) {
      auto before = buffer_.size();
      if (auto refused = Parse()) co_return std::unexpected(std::move(*refused));
      parsed = buffer_.size() < before;
    }
    if (!parsed && buffer_.size() > limits_.header_bytes)
      co_return std::unexpected(Refused{Refusal(400, "A chunk's extension, or what follows the body, is too large")});
    if (parsed) continue;
    if (std::exchange(parser_->expects_continue, false)) co_await transport_.Write("HTTP/1.1 100 Continue\r\n\r\n", {});
    if (!co_await ReadMore()) co_return std::unexpected(Refused{});
  }
  body_bytes_ += parser_->piece.size();
  if (body_bytes_ > most_bytes) co_return refuse();
  co_return parser_->piece;
}

Awaitable<void> RequestReader::Gone() {
  while (buffer_.size() < kMostSentAhead)
    if (!co_await ReadMore()) co_return;
  asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await never.async_wait(asio::use_awaitable);
}

bool RequestReader::AtEnd() const { return parser_->is_done(); }
bool RequestReader::KeepsAlive() const { return parser_->keep_alive(); }
bool RequestReader::IsHttp11() const { return parser_->version == 11; }

}  // namespace slipway::http
