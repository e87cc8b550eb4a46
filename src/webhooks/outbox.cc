#include "webhooks/outbox.h"

#include "base/format.h"
#include "database/sql.h"

namespace slipway::webhooks {
namespace {

std::string Select(std::string_view rest) {
  return fmt::format(
      "SELECT sequence, delivery_id, webhook, event, body, status, attempts, last_error, created_at FROM "
      "webhook_deliveries WHERE {}",
      rest);
}

Result<Delivery> Read(const soci::row& row) {
  return Delivery{*sql::Number(row, 0), *sql::Text(row, 1), *sql::Text(row, 2),
                  *sql::Text(row, 3),   *sql::Text(row, 4), *sql::Text(row, 5),
                  *sql::Number(row, 6), sql::Text(row, 7),  *sql::Time(row, 8)};
}

constexpr double kMicros = 1e6;

}  // namespace

Result<> Queue(sql::Session& session, const Dialect& dialect, const Delivery& d) {
  sql::Values v;
  v.Execute(
      session,
      fmt::format("INSERT INTO webhook_deliveries (delivery_id, webhook, event, body, status, attempts, next_attempt, "
                  "created_at) VALUES ({}, {}, {}, {}, 'pending', 0, {}, {})",
                  v(d.delivery_id), v(d.webhook), v(d.event), v(d.body), dialect.now, dialect.now));
  return {};
}

Result<std::optional<Delivery>> Outbox::Claim(const std::string& webhook, int lease_seconds) {
  const auto& now = database_.dialect().now;
  std::vector<Delivery> due;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto where = fmt::format("status = 'pending' AND webhook = {} AND next_attempt <= {} ORDER BY sequence LIMIT 1",
                             v(webhook), now);
    ASSIGN(due, v.Select<Delivery>(session, Select(where), Read));
    return {};
  }));
  if (due.empty()) return std::nullopt;
  int64_t claimed = 0;
  TRY(database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v;
    claimed = v.Execute(
        session, fmt::format("UPDATE webhook_deliveries SET next_attempt = {} + {} WHERE delivery_id = {} AND status = "
                             "'pending' AND next_attempt <= {}",
                             now, int64_t{lease_seconds} * 1'000'000, v(due.front().delivery_id), now));
    return {};
  }));
  return claimed == 1 ? std::optional(std::move(due.front())) : std::nullopt;
}

Result<> Outbox::Delivered(const std::string& delivery_id) {
  return database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v;
    v.Execute(session, fmt::format("DELETE FROM webhook_deliveries WHERE delivery_id = {}", v(delivery_id)));
    return {};
  });
}

Result<> Outbox::Failed(const std::string& delivery_id, const std::string& why, std::optional<double> pause_seconds) {
  return database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v;
    v.Execute(session, fmt::format("UPDATE webhook_deliveries SET attempts = attempts + 1, last_error = {}, status = "
                                   "{}, next_attempt = {} + {} "
                                   "WHERE delivery_id = {}",
                                   v(why), v(pause_seconds ? "pending" : "dead"), database_.dialect().now,
                                   static_cast<int64_t>(pause_seconds.value_or(0) * kMicros), v(delivery_id)));
    return {};
  });
}

Result<std::vector<Delivery>> Outbox::Dead(int limit, std::optional<int64_t> cursor) {
  std::vector<Delivery> dead;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto where = fmt::format("status = 'dead' AND sequence < {} ORDER BY sequence DESC LIMIT {}",
                             v(cursor.value_or(INT64_MAX)), limit);
    ASSIGN(dead, v.Select<Delivery>(session, Select(where), Read));
    return {};
  }));
  return dead;
}

Result<> Outbox::Revive(const std::string& delivery_id, const Database::Work& also) {
  return database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto changed = v.Execute(
        session, fmt::format("UPDATE webhook_deliveries SET status = 'pending', attempts = 0, next_attempt = {} WHERE "
                             "delivery_id = {} AND status = 'dead'",
                             database_.dialect().now, v(delivery_id)));
    if (changed == 0) return Fail(ErrorKind::kNotFound, "no dead letter {}", delivery_id);
    return also ? also(session) : Result<>();
  });
}

Result<> Outbox::Discard(const std::string& delivery_id, const Database::Work& also) {
  return database_.Write([&](sql::Session& session) -> Result<> {
    sql::Values v;
    auto changed = v.Execute(
        session,
        fmt::format("DELETE FROM webhook_deliveries WHERE delivery_id = {} AND status = 'dead'", v(delivery_id)));
    if (changed == 0) return Fail(ErrorKind::kNotFound, "no dead letter {}", delivery_id);
    return also ? also(session) : Result<>();
  });
}

Result<int64_t> Outbox::Count(const std::string& status) {
  long long count = 0;
  TRY(database_.Read([&](sql::Session& session) -> Result<> {
    session << "SELECT COUNT(*) FROM webhook_deliveries WHERE status = :s", soci::use(status), soci::into(count);
    return {};
  }));
  return count;
}

}  // namespace slipway::webhooks
