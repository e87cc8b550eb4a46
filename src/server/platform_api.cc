#include <prometheus/text_serializer.h>

#include "server/api_state.h"

namespace slipway::server {

using deployments::RunStatus;

Response Api::State::Audit(const Call& call) {
  auto window = ReadPage(call.query);
  if (!window) return window.error();
  auto page = parts.audit.List(QueryText(call.query, "model"), QueryText(call.query, "deployment"), QueryText(call.query, "actor"),
                               window->first, window->second);
  if (!page) return ErrorAnswer(page.error());
  auto text = [](const std::optional<std::string>& value) { return value ? json::value(*value) : json::value(nullptr); };
  return PageAnswer(*page, [&](const AuditEntry& e) {
    return json::object{{"at", FormatTimestamp(e.at)}, {"actor", e.actor},         {"actor_kind", e.actor_kind},
                        {"action", e.action},          {"model", text(e.model)},   {"deployment", text(e.deployment)},
                        {"status", e.status},          {"detail", text(e.detail)}, {"remote", e.remote},
                        {"request_id", e.request_id}};
  });
}

Response Api::State::OpenApi(const Call&) { return JsonAnswer(200, openapi); }

Response Api::State::Health(const Call&) { return JsonAnswer(200, json::object{{"status", "ok"}}); }

Response Api::State::Ready(const Call&) {
  auto ready = parts.ready ? parts.ready() : Result<>();
  if (!ready) return ErrorAnswer(503, ready.error().message);
  return JsonAnswer(200, json::object{{"status", "ok"}});
}

Response Api::State::Metrics(const Call&) {
  for (auto status : {RunStatus::kQueued, RunStatus::kRunning})
    if (auto count = parts.store.CountRuns(status)) runs.Add({{"state", std::string(ToString(status))}}).Set(static_cast<double>(*count));
  if (auto age = parts.store.QueueAge(parts.clock.Now())) queue_age.Add({}).Set(*age);
  return {200, prometheus::TextSerializer().Serialize(metrics.Collect()), "text/plain; version=0.0.4", {}};
}

}  // namespace slipway::server
