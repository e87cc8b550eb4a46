#include "auth/issuer_keys.h"

#include <algorithm>

#include "base/format.h"
#include "base/json.h"
#include "base/log.h"
#include "base/time.h"

namespace slipway::auth {
namespace {

constexpr double kPauseWhileDown = 2;
constexpr size_t kMostBytes = size_t{1} << 20;

struct Told {
  std::shared_ptr<const KeySet> keys;
  std::string token_url;
};

/// Both requests within one deadline.
Result<Told> Ask(const IssuerKeys::Options& options, const Http& http) {
  double until = MonotonicSeconds() + options.deadline_seconds;
  auto get = [&](const std::string& url) -> Result<std::string> {
    double left = until - MonotonicSeconds();
    if (left <= 0) return Fail(ErrorKind::kUnavailable, "{} answered too slowly", options.issuer);
    ASSIGN(auto answer, http({.url = url, .timeout_seconds = left, .most_bytes = kMostBytes}));
    if (answer.status != 200) return Fail(ErrorKind::kUnavailable, "{} answered {}", url, answer.status);
    return std::move(answer.body);
  };
  auto discovery_url = options.issuer + "/.well-known/openid-configuration";
  ASSIGN(auto text, get(discovery_url));
  auto discovery = ParseJson(text);
  if (!discovery) return Fail(ErrorKind::kUnavailable, "{} did not answer with JSON", discovery_url);
  ASSIGN(auto object, JsonObject::From(*discovery, "the issuer's configuration"));
  ASSIGN(auto issuer, object.String("issuer"));
  if (issuer != options.issuer)
    return Fail(ErrorKind::kInvalid,
                "auth.issuer is {1}, but that server calls itself {0}: configure the name that it gives", issuer,
                options.issuer);
  ASSIGN(auto jwks_url, object.String("jwks_uri"));
  Told told;
  ASSIGN(told.token_url, object.String("token_endpoint", ""));
  ASSIGN(auto jwks, get(jwks_url));
  ASSIGN(auto keys, KeySet::Parse(jwks));
  told.keys = std::make_shared<const KeySet>(std::move(keys));
  return told;
}

}  // namespace

IssuerKeys::IssuerKeys(Options options, Http http) : options_(std::move(options)), http_(std::move(http)) {
  thread_ = std::jthread([this](const std::stop_token& stop) { Loop(stop); });
}

IssuerKeys::~IssuerKeys() {
  thread_.request_stop();
  changed_.notify_all();
}

void IssuerKeys::Loop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Fetch();
    std::unique_lock lock(mutex_);
    auto pause = failure_ ? std::min(options_.refresh_seconds, options_.renew_seconds) : options_.renew_seconds;
    changed_.wait_for(lock, stop, std::chrono::seconds{pause}, [&] { return wanted_; });
  }
}

void IssuerKeys::Fetch() {
  auto told = Ask(options_, http_);
  if (!told) Log(LogLevel::kError, "issuer_not_reached", {{"error", told.error().message}});
  {
    std::lock_guard lock(mutex_);
    wanted_ = false;
    asked_at_ = MonotonicSeconds();
    ++fetches_;
    failure_ = told ? std::nullopt : std::optional(told.error());
    if (told) {
      keys_ = std::move(told->keys);
      token_url_ = std::move(told->token_url);
    }
  }
  changed_.notify_all();
}

/// Whether the issuer may be asked again. The mutex is held.
bool IssuerKeys::Due(double now) const {
  return now - asked_at_ >= (failure_ ? kPauseWhileDown : options_.refresh_seconds);
}

Result<std::shared_ptr<const KeySet>> IssuerKeys::For(const TokenHeader& header) {
  auto known = [&] { return keys_ && keys_->Has(header.kid, header.algorithm); };
  auto unavailable = [](const char* why) {
    return Fail(ErrorKind::kUnavailable, "the key that signed the token is not known, and {}", why);
  };
  std::unique_lock lock(mutex_);
  if (known()) return keys_;
  if (fetches_ == 0 || Due(MonotonicSeconds())) {
    if (waited_for_) return unavailable("the issuer is being asked for it: try again in a moment");
    waited_for_ = true;
    wanted_ = fetches_ > 0;  // else the first fetch is under way
    changed_.notify_all();
    auto before = fetches_;
    bool told = changed_.wait_for(lock, std::chrono::duration<double>(options_.deadline_seconds),
                                  [&] { return fetches_ != before; });
    waited_for_ = false;
    if (!told) return unavailable("the issuer does not answer");
    if (known()) return keys_;
  }
  if (failure_ || !keys_) return unavailable("the issuer cannot be asked for it now");
  return keys_;
}

Result<> IssuerKeys::Ready() {
  std::lock_guard lock(mutex_);
  if (keys_) return {};
  wanted_ = fetches_ > 0 && Due(MonotonicSeconds());
  if (wanted_) changed_.notify_all();
  if (failure_) return Failure(*failure_);
  return Fail(ErrorKind::kUnavailable, "its keys are not known yet");
}

void IssuerKeys::AwaitFirst() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::duration<double>(options_.deadline_seconds), [&] { return fetches_ > 0; });
}

std::string IssuerKeys::TokenUrl() const {
  std::lock_guard lock(mutex_);
  return token_url_;
}

}  // namespace slipway::auth
