#include "webhooks/migrations.h"

namespace slipway::webhooks {
namespace {

/// Never edit one that was released: add another, with the next number of all folders (see server/serve.cc).
constexpr Migration kMigrations[] = {
    // clang-format off
    {17, R"(CREATE TABLE webhook_deliveries (
          sequence {identity}, delivery_id TEXT NOT NULL UNIQUE, webhook TEXT NOT NULL, event TEXT NOT NULL,
          body TEXT NOT NULL, status TEXT NOT NULL, attempts BIGINT NOT NULL, next_attempt BIGINT NOT NULL,
          last_error TEXT, created_at BIGINT NOT NULL))"},
    {18, "CREATE INDEX webhooks_due ON webhook_deliveries (next_attempt) WHERE status = 'pending'"},
    {19, "CREATE INDEX webhooks_in_status ON webhook_deliveries (status, sequence)"},
    // clang-format on
};

}  // namespace

std::span<const Migration> Migrations() { return kMigrations; }

}  // namespace slipway::webhooks
