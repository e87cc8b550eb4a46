#include <algorithm>

#include "base/format.h"
#include "deployments/airflow_names.h"
#include "deployments/cron.h"
#include "deployments/lifecycle.h"

namespace slipway::deployments {
namespace {

constexpr size_t kMostBackfilled = 1000;

std::unexpected<Refusal> RefusedAt(const char* field, std::string message) {
  return Refused(std::vector<scoring::Problem>{{ErrorKind::kInvalid, {field}, std::move(message)}});
}

/// A run as a report leaves it.
void Apply(const RunReport& report, Timestamp now, Run& run) {
  bool back = run.status == RunStatus::kRunning && report.status == RunStatus::kQueued;
  if (IsFinal(run.status) || back) return;
  run.status = report.status;
  if (report.rows_scored) run.rows_scored = report.rows_scored;
  if (report.error_message) run.error_message = report.error_message;
  if (report.status == RunStatus::kSucceeded) run.error_message.reset();
  if (report.model_version) run.model_version = report.model_version;
  if (report.rows_left_out) run.rows_left_out = report.rows_left_out;
  if (report.snapshot_id) run.snapshot_id = report.snapshot_id;
  if (report.attempt) run.attempt = static_cast<int>(std::min<int64_t>(*report.attempt, INT32_MAX));
  if (report.status != RunStatus::kQueued && !run.started_at) run.started_at = now;
  if (IsFinal(report.status)) run.finished_at = now;
}

}  // namespace

Result<Run> Lifecycle::Trigger(const Deployment& deployment, std::optional<Timestamp> logical_date,
                               const Database::Work& also) {
  if (deployment.damage) return Fail(ErrorKind::kConflict, *deployment.damage);
  TRY(RequireRights(deployment));
  auto now = parts_.clock.Now();
  auto run = NewRun(deployment, RunCause::kManual, logical_date.value_or(now), now);
  TRY(parts_.store.CreateRuns({run}, also));
  parts_.runners.Wake();
  return run;
}

Outcome<std::vector<Run>> Lifecycle::TicksToFill(const Deployment& deployment, const Span& span) const {
  if (auto may = RequireRights(deployment); !may) return Refused(may.error());
  if (deployment.status != DeploymentStatus::kActive)
    return Refused(
        {ErrorKind::kConflict, fmt::format("the deployment is {}, not active", ToString(deployment.status))});
  if (!deployment.schedule)
    return Refused(Error{ErrorKind::kConflict, "the deployment has no schedule, and so no ticks that it missed"});
  auto cron = Cron::Parse(*deployment.schedule);
  if (!cron) return Refused(cron.error());
  auto now = parts_.clock.Now();
  auto last = std::min(span.to, now);
  auto covered = parts_.store.CoveredDates(deployment.deployment_id, span.from, last);
  if (!covered) return Refused(covered.error());
  std::vector<Run> runs;
  for (auto tick = cron->Next(span.from - std::chrono::microseconds{1}, parts_.zone); tick <= last;
       tick = cron->Next(tick, parts_.zone)) {
    if (covered->contains(tick)) continue;
    if (runs.size() == kMostBackfilled)
      return RefusedAt("to", fmt::format("more than {} runs at once: take a shorter span", kMostBackfilled));
    runs.push_back(NewRun(deployment, RunCause::kBackfill, tick, now));
  }
  return runs;
}

Outcome<std::vector<Run>> Lifecycle::Backfill(const Deployment& deployment, const Span& span,
                                              const Database::Work& also) {
  auto runs = TicksToFill(deployment, span);
  if (!runs) return runs;
  if (auto queued = parts_.store.CreateRuns(*runs, also); !queued) return Refused(queued.error());
  parts_.runners.Wake();
  return runs;
}

/// The run that a report is about: the one that it names, or the newest of that name in Airflow.
Result<std::optional<Run>> Lifecycle::FindReported(const Deployment& deployment, const RunReport& report) {
  if (!report.run_id) return parts_.store.FindAirflowRun(deployment.deployment_id, report.airflow_run_id);
  auto found = parts_.store.FindRun(*report.run_id);
  if (!found && found.error().kind == ErrorKind::kNotFound) return std::nullopt;
  TRY(found);
  if (found->deployment_id != deployment.deployment_id)
    return Fail(ErrorKind::kNotFound, "the deployment has no run {}", *report.run_id);
  return *found;
}

Result<Run> Lifecycle::Report(const Deployment& deployment, const RunReport& told, const Database::Work& also) {
  auto now = parts_.clock.Now();
  auto report = told;
  auto tell = [&](Run run) -> Result<Run> {
    if (report.log) TRY(parts_.store.KeepLog(run.run_id, MakeRunLog(*report.log, std::ssize(*report.log))));
    if (IsFinal(run.status) && parts_.ended) parts_.ended(run, {});
    return run;
  };
  for (int attempt = 0; attempt < 2; ++attempt) {
    ASSIGN(auto found, FindReported(deployment, report));
    if (found && IsFinal(found->status)) return *found;
    bool ours = found && (found->leased_by || (!found->airflow_run_id && found->cause != RunCause::kAirflow &&
                                               parts_.runners.KindOf(deployment.spec) == RunnerKind::kLocal));
    if (ours)
      return Fail(ErrorKind::kConflict,
                  "the run {} is executed by a Slipway server, which alone tells what becomes of it", found->run_id);
    bool starts = report.status == RunStatus::kRunning && (!found || found->status == RunStatus::kQueued);
    if (auto may = starts ? RequireRights(deployment) : Result<>(); !may) {
      if (may.error().kind != ErrorKind::kDenied) return Failure(may.error());
      report.status = RunStatus::kFailed;
      report.error_message = may.error().message;
    }
    if (found) {
      auto changed =
          parts_.store.ChangeRun(found->run_id, [&](Run& run) { return Apply(report, now, run), Result<>(); }, also);
      if (!changed && changed.error().kind == ErrorKind::kConflict) continue;  // became final meanwhile
      TRY(changed);
      return tell(std::move(*changed));
    }
    auto run = NewRun(deployment, RunCause::kAirflow, report.logical_date.value_or(now), now);
    run.run_id = RunIdInAirflow(deployment.deployment_id, report.airflow_run_id, report.run_id);
    run.airflow_run_id = report.airflow_run_id;
    run.attempt = 1;
    Apply(report, now, run);
    auto created = parts_.store.CreateRuns({run}, also);
    if (created) {
      ASSIGN(auto stored, parts_.store.FindRun(run.run_id));  // as the store has it, with its warning
      return tell(std::move(stored));
    }
    if (created.error().kind != ErrorKind::kConflict) return Failure(created.error());
  }
  return Fail(ErrorKind::kConflict, "the run changes too quickly: report again");
}

Result<Run> Lifecycle::Cancel(const Deployment& deployment, const std::string& run_id, const Person& who,
                              const Database::Work& also) {
  auto cancel = [&](Run& run) -> Result<> {
    if (run.deployment_id != deployment.deployment_id) return Fail(ErrorKind::kNotFound, "no run {}", run_id);
    if (IsFinal(run.status)) return Fail(ErrorKind::kConflict, "the run has {} already", ToString(run.status));
    End(deployment, run, who, fmt::format("cancelled by {}", who.username));
    return {};
  };
  auto changed = parts_.store.ChangeRun(run_id, cancel, also);
  TRY(changed);
  parts_.runners.Wake();
  return changed;
}

}  // namespace slipway::deployments
