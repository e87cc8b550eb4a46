#include "base/http_client.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>

#include "base/format.h"

namespace slipway {
namespace {

constexpr int kAttempts = 4;
constexpr double kFirstPause = 0.2, kLongestPause = 5;
constexpr long kConnectSeconds = 10, kStallSeconds = 30;

/// What arrives of one answer.
struct Arriving {
  const HttpRequest& request;
  CURL* curl;
  HttpAnswer answer;
  std::optional<Error> refused;  ///< why the rest is not wanted
};

size_t Take(char* bytes, size_t size, size_t count, void* target) {
  auto& arriving = *static_cast<Arriving*>(target);
  long status = 0;
  curl_easy_getinfo(arriving.curl, CURLINFO_RESPONSE_CODE, &status);
  std::string_view text(bytes, size * count);
  if (arriving.request.sink && status >= 200 && status < 300) {
    if (auto taken = arriving.request.sink(text); !taken) {
      arriving.refused = taken.error();
      return 0;
    }
  } else {
    if (arriving.answer.body.size() + text.size() > arriving.request.most_bytes) {
      arriving.refused =
          Error{ErrorKind::kInvalid, fmt::format("the answer is longer than {} bytes", arriving.request.most_bytes)};
      return 0;
    }
    arriving.answer.body.append(text);
  }
  return text.size();
}

/// A handle for each thread, so that its connections are used again.
CURL* Handle() {
  thread_local std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(), curl_easy_cleanup);
  if (handle) curl_easy_reset(handle.get());
  return handle.get();
}

/// libcurl's own sockets are inherited by the processes that are started while they are open.
curl_socket_t OpenSocket(void*, curlsocktype, curl_sockaddr* address) {
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // namespace

ErrorKind KindOf(long status) {
  switch (status) {
    case 401:
    case 403: return ErrorKind::kDenied;
    case 404: return ErrorKind::kNotFound;
    case 409: return ErrorKind::kConflict;
    case 406:
    case 501: return ErrorKind::kUnsupported;
    case 408:
    case 419:
    case 429: return ErrorKind::kUnavailable;
    // A redirect is not followed: whoever answers so is not what was asked for, or not yet.
    default: return status >= 500 || status < 400 ? ErrorKind::kUnavailable : ErrorKind::kInvalid;
  }
}

Result<HttpAnswer> SendHttp(const HttpRequest& request) {
  CURL* curl = Handle();
  if (curl == nullptr) return Fail(ErrorKind::kInternal, "libcurl could not start");
  curl_slist* list = nullptr;
  for (const auto& [name, value] : request.headers) list = curl_slist_append(list, (name + ": " + value).c_str());
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(list, curl_slist_free_all);
  Arriving arriving{request, curl, {}, {}};
  curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_seconds * 1000));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kStallSeconds);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, OpenSocket);
  // On a connection that was kept and closes without an answer, libcurl sends the request again: a commit that went
  // through would be refused as a conflict with itself. Its caller has to know that no answer came.
  if (request.method != "GET") curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Take);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &arriving);
  if (!request.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, request.ca_file.c_str());
  if (!request.body.empty() || request.method != "GET") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  }
  auto code = curl_easy_perform(curl);
  if (arriving.refused) return Failure(arriving.refused->Wrap(request.method + " " + request.url));
  if (code != CURLE_OK)
    return Fail(ErrorKind::kUnavailable, "{} {}: {}", request.method, request.url, curl_easy_strerror(code));
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &arriving.answer.status);
  curl_off_t later = 0;
  if (curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &later) == CURLE_OK)
    arriving.answer.retry_after_seconds = static_cast<double>(later);
  return std::move(arriving.answer);
}

Result<HttpAnswer> SendHttpPatiently(const HttpRequest& request) {
  double pause = kFirstPause;
  for (int attempt = 1;; ++attempt) {
    auto answer = SendHttp(request);
    bool later = answer ? answer->status == 429 || (answer->status >= 502 && answer->status <= 504)
                        : answer.error().kind == ErrorKind::kUnavailable;
    if (!later || attempt == kAttempts) return answer;
    double wanted = answer ? std::max(pause, answer->retry_after_seconds) : pause;
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(wanted, kLongestPause)));
    pause *= 3;
  }
}

}  // namespace slipway
