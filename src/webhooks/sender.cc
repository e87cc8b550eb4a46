#include "webhooks/sender.h"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/encoding.h"
#include "base/format.h"
#include "base/http_client.h"
#include "base/log.h"

namespace slipway::webhooks {
namespace {

using namespace std::chrono_literals;

constexpr double kTimeout = 10;
constexpr int kLeaseSeconds = 30;  // longer than an attempt takes
constexpr auto kBetweenLooks = 500ms;
constexpr double kLongestPause = 3600;

/// Nothing for an answer that takes the event, else why it does not.
std::optional<std::string> Send(const Webhook& webhook, const Delivery& delivery, Timestamp now) {
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  auto answer = SendHttp(
      {.method = "POST",
       .url = webhook.url,
       .headers = {{"Content-Type", "application/json"},
                   {"User-Agent", "slipway"},
                   {"webhook-id", delivery.delivery_id},
                   {"webhook-timestamp", std::to_string(seconds)},
                   {"webhook-signature", Signature(webhook.key, delivery.delivery_id, seconds, delivery.body)}},
       .body = delivery.body,
       .timeout_seconds = kTimeout,
       .most_bytes = size_t{64} << 10});
  if (!answer) return answer.error().message;
  if (answer->status < 200 || answer->status > 299) return fmt::format("answered {}", answer->status);
  return std::nullopt;
}

}  // namespace

Result<std::string> SigningKey(std::string_view secret) {
  constexpr std::string_view kPrefix = "whsec_";
  if (secret.empty()) return Fail(ErrorKind::kInvalid, "the secret is missing: events are signed with it");
  if (!secret.starts_with(kPrefix)) return std::string(secret);
  auto key = FromBase64(secret.substr(kPrefix.size()));
  if (!key || key->empty())
    return Fail(ErrorKind::kInvalid,
                "what follows whsec_ must be the key in base64: make one with "
                "`echo whsec_$(openssl rand -base64 32)`");
  return std::move(*key);
}

std::string Signature(std::string_view key, const std::string& id, int64_t timestamp, std::string_view body) {
  return "v1," + Base64(HmacSha256(key, fmt::format("{}.{}.{}", id, timestamp, body)));
}

struct Sender::State {
  Outbox& outbox;
  const Clock& clock;
  std::mutex mutex;
  std::condition_variable changed;
  bool stopped = false;
  std::vector<std::thread> threads;

  void Loop(const Webhook& webhook) {
    while (true) {
      auto sent = SendOne(webhook);
      if (!sent)
        Log(LogLevel::kError, "webhook_outbox_failed", {{"webhook", webhook.name}, {"error", sent.error().message}});
      std::unique_lock lock(mutex);
      if (!sent || !*sent) changed.wait_for(lock, kBetweenLooks, [&] { return stopped; });
      if (stopped) return;
    }
  }

  /// False when nothing is due.
  Result<bool> SendOne(const Webhook& webhook) {
    ASSIGN(auto delivery, outbox.Claim(webhook.name, kLeaseSeconds));
    if (!delivery) return false;
    auto refused = Send(webhook, *delivery, clock.Now());
    if (!refused) {
      TRY(outbox.Delivered(delivery->delivery_id));
      return true;
    }
    auto attempt = delivery->attempts + 1;
    std::optional<double> pause;
    if (attempt < webhook.attempts)
      pause = std::min(webhook.pause_seconds * std::pow(3.0, static_cast<double>(attempt - 1)), kLongestPause);
    Log(LogLevel::kWarning, pause ? "webhook_failed" : "webhook_dead",
        {{"webhook", webhook.name},
         {"delivery_id", delivery->delivery_id},
         {"attempt", std::to_string(attempt)},
         {"error", *refused}});
    TRY(outbox.Failed(delivery->delivery_id, *refused, pause));
    return true;
  }
};

Sender::Sender(Outbox& outbox, std::vector<Webhook> webhooks, const Clock& clock)
    : state_(std::make_unique<State>(outbox, clock)) {
  for (auto& webhook : webhooks)
    state_->threads.emplace_back([state = state_.get(), webhook = std::move(webhook)] { state->Loop(webhook); });
}

Sender::~Sender() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopped = true;
  }
  state_->changed.notify_all();
  for (auto& thread : state_->threads) thread.join();
}

}  // namespace slipway::webhooks
