#include <prometheus/text_serializer.h>

#include <boost/json/serialize.hpp>

#include "server/api_state.h"

namespace slipway::server {

namespace {

constexpr auto kJsonLines = "application/x-ndjson";

json::value OrNull(const std::optional<std::string>& text) { return text ? json::value(*text) : json::value(nullptr); }

json::object ViewOf(const AuditEntry& e) {
  return {{"at", FormatTimestamp(e.at)}, {"actor", e.actor},           {"actor_kind", e.actor_kind},
          {"action", e.action},          {"model", OrNull(e.model)},   {"deployment", OrNull(e.deployment)},
          {"status", e.status},          {"detail", OrNull(e.detail)}, {"remote", e.remote},
          {"request_id", e.request_id}};
}

}  // namespace

Response Api::State::Audit(Call& call) {
  auto window = ReadPage(call.query);
  auto page = parts.audit.List(QueryText(call.query, "model"), QueryText(call.query, "deployment"),
                               QueryText(call.query, "actor"), window.limit, window.cursor);
  if (!page) return ErrorAnswer(page.error());
  auto view = [](const AuditEntry& entry) { return ViewOf(entry); };
  if (call.request.Header("accept").find(kJsonLines) == std::string_view::npos) return PageAnswer(*page, view);
  Response lines{200, "", kJsonLines, {}};
  for (const auto& entry : page->items) lines.body += json::serialize(ViewOf(entry)) + "\n";
  if (page->next) lines.headers["Slipway-Next-Cursor"] = std::to_string(*page->next);
  return lines;
}

Response Api::State::DeadLetters(Call& call) {
  auto window = ReadPage(call.query);
  auto dead = parts.outbox.Dead(window.limit + 1, window.cursor);
  if (!dead) return ErrorAnswer(dead.error());
  deployments::Page<webhooks::Delivery> page{std::move(*dead), std::nullopt};
  if (page.items.size() > static_cast<size_t>(window.limit)) {
    page.items.pop_back();
    page.next = page.items.back().sequence;
  }
  return PageAnswer(page, [](const webhooks::Delivery& d) {
    return json::object{{"delivery_id", d.delivery_id},
                        {"webhook", d.webhook},
                        {"event", d.event},
                        {"status", d.status},
                        {"attempts", d.attempts},
                        {"last_error", OrNull(d.last_error)},
                        {"created_at", FormatTimestamp(d.created_at)}};
  });
}

Response Api::State::RetryDelivery(Call& call) {
  if (auto done = parts.outbox.Revive(call.request.parameters.at("id"), AuditedAs(call, 204)); !done)
    return ErrorAnswer(done.error());
  return {204, "", "", {}};
}

Response Api::State::DiscardDelivery(Call& call) {
  if (auto done = parts.outbox.Discard(call.request.parameters.at("id"), AuditedAs(call, 204)); !done)
    return ErrorAnswer(done.error());
  return {204, "", "", {}};
}

Response Api::State::OpenApi(Call&) { return JsonAnswer(200, openapi); }

Response Api::State::Health(Call&) { return JsonAnswer(200, json::object{{"status", "ok"}}); }

Response Api::State::Ready(Call&) {
  auto ready = parts.ready ? parts.ready() : Result<>();
  if (!ready) return ErrorAnswer(503, ready.error().message);
  return JsonAnswer(200, json::object{{"status", "ok"}});
}

Response Api::State::ShowMetrics(Call&) {
  return {200, prometheus::TextSerializer().Serialize(metrics.registry.Collect()), "text/plain; version=0.0.4", {}};
}

}  // namespace slipway::server
