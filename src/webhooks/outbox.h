#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "database/database.h"

namespace slipway::webhooks {

/// One event for one webhook.
struct Delivery {
  int64_t sequence = 0;
  std::string delivery_id, webhook, event, body, status;  ///< status: pending or dead
  int64_t attempts = 0;
  std::optional<std::string> last_error;
  Timestamp created_at;
};

/// Queues an event, in the caller's transaction.
Result<> Queue(sql::Session& session, const Dialect& dialect, const Delivery& delivery);

/// The table of deliveries. Thread-safe.
class Outbox {
 public:
  explicit Outbox(Database& database) : database_(database) {}

  /// The oldest delivery of a webhook that is due. Nobody else is given it for `lease_seconds`.
  Result<std::optional<Delivery>> Claim(const std::string& webhook, int lease_seconds);
  Result<> Delivered(const std::string& delivery_id);
  /// Counts an attempt that failed; the next one is due after `pause_seconds`, or without one the delivery is dead.
  Result<> Failed(const std::string& delivery_id, const std::string& why, std::optional<double> pause_seconds);

  /// Dead letters, newest first, before `cursor`.
  Result<std::vector<Delivery>> Dead(int limit, std::optional<int64_t> cursor);
  /// Makes a dead letter pending again, from its first attempt, in one transaction with `also`. kNotFound: no such dead
  /// letter.
  Result<> Revive(const std::string& delivery_id, const Database::Work& also = {});
  Result<> Discard(const std::string& delivery_id, const Database::Work& also = {});
  Result<int64_t> Count(const std::string& status);

 private:
  Database& database_;
};

}  // namespace slipway::webhooks
