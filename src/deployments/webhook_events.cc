#include "deployments/webhook_events.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "base/format.h"
#include "base/ids.h"
#include "base/json.h"
#include "deployments/rows.h"
#include "webhooks/outbox.h"

namespace slipway::deployments {
namespace {

/// What a webhook is sent, but for the delivery's own id.
json::object EventOf(const std::string& event, const Run& run, const Deployment& deployment) {
  auto at = run.finished_at.value_or(run.started_at.value_or(run.queued_at));
  return {{"event", event},
          {"deployment_id", run.deployment_id},
          {"model", deployment.model},
          {"deployment", deployment.name},
          {"owner", deployment.spec.owner},
          {"domain", deployment.spec.domain},
          {"run_id", run.run_id},
          {"status", ToString(run.status)},
          {"logical_date", FormatTimestamp(run.logical_date)},
          {"at", FormatTimestamp(at)},
          {"attempt", run.attempt},
          {"rows_scored", ShowMember(run.rows_scored)},
          {"warning", ShowMember(run.warning)},
          {"error_message", ShowMember(run.error_message)}};
}

}  // namespace

RunAnnouncer AnnounceToWebhooks(const Database& database, Subscriptions webhooks) {
  if (webhooks.empty()) return {};
  return [&database, webhooks = std::move(webhooks)](sql::Session& session, const Run& run) -> Result<> {
    std::vector<std::string> events{fmt::format("run.{}", ToString(run.status))};
    if (run.warning) events.emplace_back(kWarningEvent);
    auto asked = [&](const auto& webhook) {
      return std::ranges::any_of(events, [&](const auto& event) { return webhook.second.contains(event); });
    };
    if (std::ranges::none_of(webhooks, asked)) return {};
    sql::Values key;
    auto query = SelectDeployments() + "WHERE d.deployment_id = " + key(run.deployment_id);
    ASSIGN(auto found, key.Select<Deployment>(session, query, ReadDeployment));
    if (found.empty()) return {};
    for (const auto& event : events) {
      auto body = EventOf(event, run, found.front());
      for (const auto& [webhook, wanted] : webhooks) {
        if (!wanted.contains(event)) continue;
        auto id = NewUuid();
        body["delivery_id"] = id;
        TRY(webhooks::Queue(session, database.dialect(),
                            {.delivery_id = id, .webhook = webhook, .event = event, .body = json::serialize(body)}));
      }
    }
    return {};
  };
}

}  // namespace slipway::deployments
