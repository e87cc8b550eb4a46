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
  Run run{.run_id = NewUuid(),
          .deployment_id = call.deployment().deployment_id,
          .logical_date = logical_date,
          .queued_at = now};
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
  for (auto tick = cron->Next(*from - std::chrono::microseconds{1}, parts.zone); tick <= last;
       tick = cron->Next(tick, parts.zone)) {
    if (covered->contains(tick)) continue;
    if (runs.size() == kMostBackfilled)
      return ValidationAnswer({contract::ValueError(
          {"to"}, fmt::format("more than {} runs at once: take a shorter span", kMostBackfilled), body->at("to"))});
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
  if (run->deployment_id != call.deployment().deployment_id)
    return ErrorAnswer(404, fmt::format("no run {}", run->run_id));
  return JsonAnswer(200, ViewOf(*run));
}

Response Api::State::Cancel(Call& call) {
  auto changed = parts.store.ChangeRun(call.request.parameters.at("run_id"), [&](Run& run) -> Result<> {
    if (run.deployment_id != call.deployment().deployment_id)
      return Fail(ErrorKind::kNotFound, "no run {}", run.run_id);
    if (IsFinal(run.status)) return Fail(ErrorKind::kConflict, "the run has {} already", ToString(run.status));
    run.cancelled_by = call.who.username;
    if (parts.dispatcher.Ends(run)) return {};
    run.status = RunStatus::kFailed;
    run.error_message = fmt::format("cancelled by {}", call.who.username);
    run.finished_at = parts.clock.Now();
    return {};
  });
  if (!changed) return ErrorAnswer(changed.error());
  parts.dispatcher.Wake();
  return JsonAnswer(202, ViewOf(*changed));
}

/// The run that a callback is about: the one that it names, or the newest of that name in Airflow.
Result<std::optional<Run>> Api::State::FindReported(const std::string& deployment_id, const std::string& airflow_run_id,
                                                    const std::optional<std::string>& run_id) {
  if (!run_id) return parts.store.FindAirflowRun(deployment_id, airflow_run_id);
  auto found = parts.store.FindRun(*run_id);
  if (!found && found.error().kind == ErrorKind::kNotFound) return std::nullopt;
  TRY(found);
  if (found->deployment_id != deployment_id) return Fail(ErrorKind::kNotFound, "the deployment has no run {}", *run_id);
  return *found;
}

/// Word of a DAG run: repeated and late words change nothing that is final, and none takes a run back.
Response Api::State::Callback(Call& call) {
  auto body = ReadBody(call.request, contract::CallbackBody());
  if (!body) return body.error();
  auto now = parts.clock.Now();
  auto status = *deployments::ParseRunStatus(std::string_view(body->at("status").as_string()));
  std::string airflow_run_id(body->at("airflow_run_id").as_string());
  // Slipway's own DAGs say which run it is: one that was cleared in Airflow and is done again is another one of the
  // same name.
  std::optional<std::string> given_id;
  json::object details;
  if (body->at("slipway").is_object()) details = body->at("slipway").get_object();
  auto detail = [&](const char* name) { return details.contains(name) ? details.at(name) : json::value(nullptr); };
  if (auto id = detail("run_id"); id.is_string()) given_id = std::string(id.get_string());
  if (given_id && !IsUuid(*given_id))
    return ValidationAnswer({contract::ValueError({"slipway", "run_id"}, "is no UUID", detail("run_id"))});
  auto logical_date = now;
  if (auto given = detail("logical_date"); given.is_string()) {
    auto instant = ParseTimestamp(std::string_view(given.get_string()));
    if (!instant)
      return ValidationAnswer({contract::ValueError({"slipway", "logical_date"}, instant.error().message, given)});
    logical_date = *instant;
  }
  auto apply = [&](Run& run) -> Result<> {
    if (IsFinal(run.status) || (run.status == RunStatus::kRunning && status == RunStatus::kQueued)) return {};
    run.status = status;
    if (const auto& rows = body->at("rows_scored"); rows.is_int64()) run.rows_scored = rows.get_int64();
    if (const auto& message = body->at("error_message"); message.is_string())
      run.error_message = std::string(message.get_string());
    if (status == RunStatus::kSucceeded) run.error_message.reset();
    if (auto version = detail("model_version"); version.is_string())
      run.model_version = std::string(version.get_string());
    if (auto snapshot = detail("snapshot_id"); snapshot.is_int64()) run.snapshot_id = snapshot.get_int64();
    if (auto attempt = detail("attempt"); attempt.is_int64()) run.attempt = static_cast<int>(attempt.get_int64());
    if (status != RunStatus::kQueued && !run.started_at) run.started_at = now;
    if (IsFinal(status)) run.finished_at = now;
    return {};
  };
  const auto& id = call.deployment().deployment_id;
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto found = FindReported(id, airflow_run_id, given_id);
    if (!found) return ErrorAnswer(found.error());
    if (*found) {
      if (IsFinal((*found)->status)) return JsonAnswer(200, ViewOf(**found));
      auto changed = parts.store.ChangeRun((*found)->run_id, apply);
      if (!changed && changed.error().kind == ErrorKind::kConflict) continue;  // became final meanwhile
      if (changed && IsFinal(changed->status)) Count(*changed, {});
      return changed ? JsonAnswer(200, ViewOf(*changed)) : ErrorAnswer(changed.error());
    }
    Run run{.run_id = given_id.value_or(UuidOf(id, airflow_run_id)),
            .deployment_id = id,
            .cause = RunCause::kAirflow,
            .logical_date = logical_date,
            .attempt = 1,
            .queued_at = now};
    run.airflow_run_id = airflow_run_id;
    (void)apply(run);
    auto created = parts.store.CreateRuns({run});
    if (created) {
      if (IsFinal(run.status)) Count(run, {});
      return JsonAnswer(200, ViewOf(run));
    }
    if (created.error().kind != ErrorKind::kConflict) return ErrorAnswer(created.error());
  }
  return ErrorAnswer(409, "the run changes too quickly: report again");
}

Response Api::State::Proxy(Call&) {
  return ErrorAnswer(409, "a batch deployment answers no requests: trigger a run instead");
}

}  // namespace slipway::server
