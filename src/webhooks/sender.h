#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "webhooks/outbox.h"

namespace slipway::webhooks {

/// Where events go, as it is configured.
struct Webhook {
  std::string name, url;
  std::string key;               ///< what events are signed with, as SigningKey gives it
  std::set<std::string> events;  ///< "run.failed", …
  int attempts = 12;
  int pause_seconds = 5;  ///< before the second attempt; three times longer each, an hour at most
};

/// The key that a secret stands for: the bytes behind `whsec_` (base64, with padding or without), or the text itself.
/// kInvalid: a secret that is empty, or that starts with whsec_ and goes on with something else than base64.
Result<std::string> SigningKey(std::string_view secret);

/// The Standard Webhooks specification asks for keys of at least so many bytes.
inline constexpr size_t kLeastKeyBytes = 24;

/// The header `webhook-signature` of the Standard Webhooks specification: "v1," and base64 of HMAC-SHA256 over
/// "id.timestamp.body".
std::string Signature(std::string_view key, const std::string& id, int64_t timestamp, std::string_view body);

/// Delivers what is in the outbox, a thread for each webhook.
class Sender {
 public:
  Sender(Outbox& outbox, std::vector<Webhook> webhooks, const Clock& clock);
  /// Waits for the request that is on its way, some seconds at most.
  ~Sender();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace slipway::webhooks
