#include "base/format.h"
#include "base/ids.h"
#include "dispatch/cron.h"
#include "server/api_state.h"

namespace slipway::server {
namespace {

using deployments::DeploymentStatus;
using deployments::Run;
using deployments::RunCause;
using deployments::RunStatus;

constexpr size_t kMostBackfilled = 1000;

/// An instant in a body's field; the answer that refuses it.
std::expected<Timestamp, Response> InstantIn(const json::object& body, const char* field) {
  auto instant = ParseTimestamp(std::string_view(body.at(field).as_string()));
  if (instant) return *instant;
  return std::unexpected(ValidationAnswer({contract::ValueError({field}, instant.error().message, body.at(field))}));
}

std::optional<Response> RefuseUnlessActive(const deployments::Deployment& deployment) {
  if (deployment.status == DeploymentStatus::kActive) return std::nullopt;
  return ErrorAnswer(409, fmt::format("the deployment is {}, not active", ToString(deployment.status)));
}

}  // namespace

Response Api::State::Trigger(Call& call) {
  auto now = parts.clock.Now();
  auto logical_date = now;
  if (!call.request.body.empty()) {
    auto body = ReadBody(call.request, contract::TriggerBody());
    if (!body) return body.error();
    if (body->at("logical_date").is_string()) {
      auto instant = InstantIn(*body, "logical_date");
      if (!instant) return instant.error();
      logical_date = *instant;
    }
  }
  if (auto refused = RefuseUnlessActive(call.deployment())) return *refused;
  Run run{.run_id = NewUuid(), .deployment_id = call.deployment().deployment_id, .logical_date = logical_date, .queued_at = now};
  if (auto queued = parts.store.CreateRuns({run}); !queued) return ErrorAnswer(queued.error());
  parts.dispatcher.Wake();
  return JsonAnswer(202, ViewOf(run));
}

Response Api::State::Backfill(Call& call) {
  auto body = ReadBody(call.request, contract::BackfillBody());
  if (!body) return body.error();
  auto from = InstantIn(*body, "from"), to = InstantIn(*body, "to");
  if (!from) return from.error();
  if (!to) return to.error();
  const auto& deployment = call.deployment();
  if (auto refused = RefuseUnlessActive(deployment)) return *refused;
  if (!deployment.schedule) return ErrorAnswer(409, "the deployment has no schedule, and so no ticks that it missed");
  if (*to < *from) return ValidationAnswer({contract::ValueError({"to"}, "lies before 'from'", body->at("to"))});
  auto now = parts.clock.Now();
  auto last = std::min(*to, now);
  auto covered = parts.store.CoveredDates(deployment.deployment_id, *from, last);
  if (!covered) return ErrorAnswer(covered.error());
  auto cron = dispatch::Cron::Parse(*deployment.schedule);
  if (!cron) return ErrorAnswer(cron.error());
  std::vector<Run> runs;
  for (auto tick = cron->Next(*from - std::chrono::microseconds{1}, parts.zone); tick <= last; tick = cron->Next(tick, parts.zone)) {
    if (covered->contains(tick)) continue;
    if (runs.size() == kMostBackfilled)
      return ValidationAnswer(
          {contract::ValueError({"to"}, fmt::format("more than {} runs at once: take a shorter span", kMostBackfilled), body->at("to"))});
    runs.push_back({.run_id = NewUuid(),
                    .deployment_id = deployment.deployment_id,
                    .cause = RunCause::kBackfill,
                    .logical_date = tick,
                    .queued_at = now});
  }
  if (auto queued = parts.store.CreateRuns(runs); !queued) return ErrorAnswer(queued.error());
  parts.dispatcher.Wake();
  json::array items;
  for (const auto& run : runs) items.push_back(ViewOf(run));
  return JsonAnswer(202, json::object{{"items", std::move(items)}, {"next_cursor", nullptr}});
}

Response Api::State::ListRuns(Call& call) {
  auto window = ReadPage(call.query);
  auto page = parts.store.ListRuns(call.deployment().deployment_id, window.limit, window.cursor);
  if (!page) return ErrorAnswer(page.error());
  return PageAnswer(*page, [](const Run& run) { return ViewOf(run); });
}

Response Api::State::GetRun(Call& call) {
  auto run = parts.store.FindRun(call.request.parameters.at("run_id"));
  if (!run) return ErrorAnswer(run.error());
  if (run->deployment_id != call.deployment().deployment_id) return ErrorAnswer(404, fmt::format("no run {}", run->run_id));
  return JsonAnswer(200, ViewOf(*run));
}

Response Api::State::Cancel(Call& call) {
  auto changed = parts.store.ChangeRun(call.request.parameters.at("run_id"), [&](Run& run) -> Result<> {
    if (run.deployment_id != call.deployment().deployment_id) return Fail(ErrorKind::kNotFound, "no run {}", run.run_id);
    if (IsFinal(run.status)) return Fail(ErrorKind::kConflict, "the run has {} already", ToString(run.status));
    run.cancelled_by = call.who.username;
    if (run.leased_by) return {};  // the server that runs it ends it
    run.status = RunStatus::kFailed;
    run.error_message = fmt::format("cancelled by {}", call.who.username);
    run.finished_at = parts.clock.Now();
    return {};
  });
  if (!changed) return ErrorAnswer(changed.error());
  parts.dispatcher.Wake();
  return JsonAnswer(202, ViewOf(*changed));
}

/// Word of a DAG run: repeated and late words change nothing that is final, and none takes a run back.
Response Api::State::Callback(Call& call) {
  auto body = ReadBody(call.request, contract::CallbackBody());
  if (!body) return body.error();
  auto now = parts.clock.Now();
  auto status = *deployments::ParseRunStatus(std::string_view(body->at("status").as_string()));
  std::string airflow_run_id(body->at("airflow_run_id").as_string());
  auto apply = [&](Run& run) -> Result<> {
    if (IsFinal(run.status) || (run.status == RunStatus::kRunning && status == RunStatus::kQueued)) return {};
    run.status = status;
    if (const auto& rows = body->at("rows_scored"); rows.is_int64()) run.rows_scored = rows.get_int64();
    if (const auto& message = body->at("error_message"); message.is_string()) run.error_message = std::string(message.get_string());
    if (status != RunStatus::kQueued && !run.started_at) run.started_at = now;
    if (IsFinal(status)) run.finished_at = now;
    return {};
  };
  const auto& id = call.deployment().deployment_id;
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto found = parts.store.FindAirflowRun(id, airflow_run_id);
    if (!found) return ErrorAnswer(found.error());
    if (*found) {
      if (IsFinal((*found)->status)) return JsonAnswer(200, ViewOf(**found));
      auto changed = parts.store.ChangeRun((*found)->run_id, apply);
      if (!changed && changed.error().kind == ErrorKind::kConflict) continue;  // became final meanwhile
      return changed ? JsonAnswer(200, ViewOf(*changed)) : ErrorAnswer(changed.error());
    }
    Run run{.run_id = NewUuid(), .deployment_id = id, .cause = RunCause::kAirflow, .logical_date = now, .attempt = 1, .queued_at = now};
    run.airflow_run_id = airflow_run_id;
    (void)apply(run);
    auto created = parts.store.CreateRuns({run});
    if (created) return JsonAnswer(200, ViewOf(run));
    if (created.error().kind != ErrorKind::kConflict) return ErrorAnswer(created.error());
  }
  return ErrorAnswer(409, "the run changes too quickly: report again");
}

Response Api::State::Proxy(Call&) { return ErrorAnswer(409, "a batch deployment answers no requests: trigger a run instead"); }

}  // namespace slipway::server
