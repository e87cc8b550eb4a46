#include "http/loopback_test.h"

#include <arpa/inet.h>
#include <sys/time.h>

#include <array>
#include <stdexcept>

namespace slipway::http::testing {

Client::Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  timeval patience{30, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("nobody listens");
}

void Client::Send(std::string_view bytes) const {
  while (!bytes.empty()) {
    auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // what the server answered is read all the same
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

size_t Client::SendWhatFits(std::string_view bytes) const {
  auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<size_t>(sent);
}

std::string Client::Some() {
  if (!buffer_.empty()) return std::exchange(buffer_, {});
  std::array<char, 65536> bytes;
  auto got = ::recv(socket_, bytes.data(), bytes.size(), 0);
  if (got < 0 && errno == EAGAIN) throw std::runtime_error("nothing came for half a minute");
  return got <= 0 ? std::string() : std::string(bytes.data(), static_cast<size_t>(got));
}

std::string Client::Until(std::string_view end) {
  std::string text;
  while (text.find(end) == std::string::npos) {
    auto more = Some();
    if (more.empty()) throw std::runtime_error("the connection ended after: " + text);
    text += more;
  }
  auto at = text.find(end) + end.size();
  buffer_ = text.substr(at) + buffer_;
  return text.substr(0, at);
}

std::string Client::Rest() {
  std::string text;
  for (auto more = Some(); !more.empty(); more = Some()) text += more;
  return text;
}

Answer Client::Next(bool with_body) {
  Answer answer;
  std::string head;
  try {
    head = Until("\r\n\r\n");
  } catch (const std::runtime_error&) {
    return answer;
  }
  answer.status = std::stoi(head.substr(head.find(' ') + 1));
  for (size_t at = head.find("\r\n") + 2; at + 2 < head.size();) {
    auto end = head.find("\r\n", at), colon = head.find(": ", at);
    answer.headers[head.substr(at, colon - at)] = head.substr(colon + 2, end - colon - 2);
    at = end + 2;
  }
  if (!with_body) return answer;
  if (answer.headers.contains("Content-Length")) {
    auto length = std::stoul(answer.headers["Content-Length"]);
    for (auto more = length > 0 ? Some() : std::string(); !more.empty();
         more = answer.body.size() < length ? Some() : std::string())
      answer.body += more;
    answer.whole = answer.body.size() >= length;
    if (answer.body.size() > length) buffer_ = answer.body.substr(length) + buffer_;
    answer.body.resize(std::min(answer.body.size(), length));
  } else if (answer.headers["Transfer-Encoding"] == "chunked") {
    try {
      for (size_t size = 1; size > 0;) {
        size = std::stoul(Until("\r\n"), nullptr, 16);
        std::string chunk;
        while (chunk.size() < size + 2) {
          auto more = Some();
          if (more.empty()) return answer;
          chunk += more;
        }
        buffer_ = chunk.substr(size + 2) + buffer_;
        answer.body += chunk.substr(0, size);
      }
      answer.whole = true;
    } catch (const std::runtime_error&) {  // it broke off
    }
  }
  return answer;
}

}  // namespace slipway::http::testing
