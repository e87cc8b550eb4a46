#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/format.h"

/// For unit tests only: a server on a port of its own that gives recorded answers.
namespace slipway::testing {

class RecordedHttp {
 public:
  struct Answer {
    int status = 200;
    std::string body;
  };

  /// `answers` by request target; any other is answered 404 with an empty object.
  explicit RecordedHttp(std::map<std::string, Answer> answers) : answers_(std::move(answers)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    ::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(socket_, 16);
    socklen_t length = sizeof address;
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length);
    url_ = fmt::format("http://127.0.0.1:{}", ntohs(address.sin_port));
    thread_ = std::thread([this] {
      for (int client; (client = ::accept(socket_, nullptr, nullptr)) >= 0; ::close(client)) Serve(client);
    });
  }
  RecordedHttp(const RecordedHttp&) = delete;
  RecordedHttp& operator=(const RecordedHttp&) = delete;
  ~RecordedHttp() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }

  const std::string& url() const { return url_; }

  /// What was asked so far: the whole heads of the requests.
  std::vector<std::string> requests() {
    std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void Serve(int client) {
    std::string head;
    char buffer[4096];
    while (head.find("\r\n\r\n") == std::string::npos) {
      auto size = ::recv(client, buffer, sizeof buffer, 0);
      if (size <= 0) return;
      head.append(buffer, static_cast<size_t>(size));
    }
    auto start = head.find(' ') + 1;
    auto found = answers_.find(head.substr(start, head.find(' ', start) - start));
    auto answer = found == answers_.end() ? Answer{404, "{}"} : found->second;
    {
      std::lock_guard lock(mutex_);
      requests_.push_back(head);
    }
    auto text = fmt::format("HTTP/1.1 {} -\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", answer.status,
                            answer.body.size(), answer.body);
    ::send(client, text.data(), text.size(), MSG_NOSIGNAL);
  }

  std::map<std::string, Answer> answers_;
  int socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string url_;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace slipway::testing
