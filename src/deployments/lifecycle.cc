#include "deployments/lifecycle.h"

#include <algorithm>

#include "base/format.h"
#include "base/ids.h"
#include "deployments/cron.h"
#include "deployments/window.h"

namespace slipway::deployments {
namespace {

using scoring::Problem;

Result<> RequireSound(const Deployment& deployment) {
  if (deployment.damage) return Fail(ErrorKind::kConflict, *deployment.damage);
  return {};
}

/// The deployment as `change` wants it, but for what follows from that.
void Apply(const DeploymentChange& change, Deployment& deployment) {
  auto& spec = deployment.spec;
  if (change.schedule) deployment.schedule = *change.schedule;
  if (change.owner) spec.owner = *change.owner;
  if (change.domain) spec.domain = *change.domain;
  if (change.runner) spec.runner = *change.runner;
  if (change.timeout) spec.timeout = *change.timeout;
  if (change.retries) spec.retries = *change.retries;
  if (change.retry_delay) spec.retry_delay = *change.retry_delay;
  if (change.filter_sql) spec.batch.source.filter_sql = *change.filter_sql;
  if (change.snapshot_id) spec.batch.source.snapshot_id = *change.snapshot_id;
  if (change.rerun_behavior) spec.batch.rerun_behavior = *change.rerun_behavior;
  if (change.pin) {
    spec.batch.model.version = change.pin->version;
    spec.batch.model.alias = change.pin->alias;
  }
}

/// Whether it says anew what is read or written, be it the same as before: who owns a deployment, or when it runs, does
/// not.
bool SaysWhatItDoes(const DeploymentChange& change) {
  return change.pin || change.filter_sql || change.snapshot_id || change.rerun_behavior;
}

/// What a planner's problems mean: something that is missing, or away, comes before what could be judged only with it.
/// `found`: what is wrong whatever the tables and models are, which comes first.
std::unexpected<Refusal> Refuse(std::vector<Problem> found, const std::vector<Problem>& planned) {
  std::string missing;
  bool judged = !found.empty();
  for (const auto& problem : planned) {
    bool away = problem.kind == ErrorKind::kUnavailable || problem.kind == ErrorKind::kIo;
    if (!judged && away) return Refused(Error{ErrorKind::kUnavailable, problem.message});
    if (!judged && problem.kind == ErrorKind::kInternal) return Refused(Error{problem.kind, problem.message});
    if (problem.kind == ErrorKind::kNotFound)
      missing += (missing.empty() ? "" : "; ") + problem.message;
    else if (!away && problem.kind != ErrorKind::kInternal)
      found.push_back(problem);
  }
  if (!judged && !missing.empty()) return Refused(Error{ErrorKind::kNotFound, missing});
  return Refused(std::move(found));
}

}  // namespace

Outcome<Planned> Lifecycle::Plan(DeploymentSpec spec, const std::optional<std::string>& schedule, Timestamp now) const {
  std::vector<Problem> found;
  if (parts_.runners.Find(spec) == nullptr)
    found.push_back({ErrorKind::kInvalid,
                     {"runner", "kind"},
                     fmt::format("this server has no runner '{}': its setting dispatch.kind names those that it has",
                                 ToString(parts_.runners.KindOf(spec)))});
  auto window = WindowOf(schedule, parts_.zone, now);
  if (!window) found.push_back({ErrorKind::kInvalid, {"schedule"}, window.error().message});
  spec.batch.own_rows.reset();  // the target as it is now is looked at
  auto planned = parts_.plan(spec.batch, {now, window.value_or(scoring::DayOf(now))});
  if (!planned) return Refuse(std::move(found), planned.error());
  if (!found.empty()) return Refuse(std::move(found), {});
  return std::move(*planned);
}

Result<> Lifecycle::Prepare(Deployment& deployment) const {
  const auto* dispatcher = parts_.runners.Find(deployment.spec);
  if (dispatcher == nullptr)
    return Fail(ErrorKind::kConflict, "this server has no runner '{}', which the deployment names",
                ToString(parts_.runners.KindOf(deployment.spec)));
  dispatcher->Prepare(deployment);
  return {};
}

Result<> Lifecycle::NextTick(Deployment& deployment, Timestamp now) const {
  deployment.next_tick.reset();
  if (!deployment.schedule) return {};
  ASSIGN(auto cron, Cron::Parse(*deployment.schedule));
  deployment.next_tick = cron.Next(now, parts_.zone);
  return {};
}

Result<> Lifecycle::RequireRights(const Deployment& deployment) const {
  return parts_.may_run && !deployment.damage ? parts_.may_run(deployment) : Result<>();
}

Outcome<DeploymentWithRun> Lifecycle::Create(const NewDeployment& request, const Person& who, bool validate_only,
                                             const Database::Work& also) {
  auto now = parts_.clock.Now();
  auto planned = Plan(request.spec, request.schedule, now);
  if (!planned) return std::unexpected(planned.error());
  Deployment deployment{.deployment_id = NewUuid(),
                        .model = request.model,
                        .name = request.name,
                        .created_by = who.subject,
                        .created_by_kind = who.kind,
                        .rights_of = who.subject,
                        .rights_of_kind = who.kind,
                        .spec = request.spec,
                        .schedule = request.schedule,
                        .resolved_model_version = planned->model_version,
                        .created_at = now,
                        .updated_at = now};
  deployment.spec.batch.own_rows = planned->own_rows;
  if (auto ready = NextTick(deployment, now); !ready) return Refused(ready.error());
  if (auto ready = Prepare(deployment); !ready) return Refused(ready.error());
  if (validate_only) {
    if (!parts_.store.FindDeployment(request.model, request.name)) {
      if (auto alone = parts_.store.CheckTarget(deployment); !alone) return Refused(alone.error());
      return DeploymentWithRun{deployment, std::nullopt};
    }
    return Refused(Error{ErrorKind::kConflict,
                         fmt::format("model '{}' has a deployment named '{}' already", request.model, request.name)});
  }
  std::optional<Run> run;
  if (request.trigger_now) run = NewRun(deployment, RunCause::kManual, now, now);
  if (auto created = parts_.store.CreateDeployment(deployment, run, also); !created) return Refused(created.error());
  parts_.runners.Wake();
  return DeploymentWithRun{std::move(deployment), std::move(run)};
}

Result<Deployment> Lifecycle::Amend(const Deployment& seen,
                                    const std::function<Result<>(Deployment&, Timestamp now)>& change,
                                    const Database::Work& also, const OpenRunsChange& open_runs) {
  auto changed = parts_.store.ChangeDeployment(
      seen.deployment_id,
      [&](Deployment& stored) -> Result<> {
        auto before = stored;
        auto now = std::max(parts_.clock.Now(), stored.updated_at + std::chrono::microseconds{1});
        TRY(change(stored, now));
        if (stored != before) stored.updated_at = now;
        return {};
      },
      open_runs, also);
  parts_.runners.Wake();
  return changed;
}

Outcome<Deployment> Lifecycle::Change(const Deployment& seen, const DeploymentChange& change, const Person& who,
                                      const Database::Work& also) {
  if (auto sound = RequireSound(seen); !sound) return Refused(sound.error());
  auto planned = seen;
  Apply(change, planned);
  auto found = Plan(planned.spec, planned.schedule, parts_.clock.Now());
  if (!found) return std::unexpected(found.error());
  planned.spec.batch.own_rows = found->own_rows;
  auto runner = parts_.runners.KindOf(planned.spec);
  // A run in Airflow is known by the tries that its task has beyond its retries.
  bool moves = runner != parts_.runners.KindOf(seen.spec) ||
               (runner == RunnerKind::kAirflow && planned.spec.retries != seen.spec.retries);
  auto amend = [&](Deployment& stored, Timestamp now) -> Result<> {
    if (stored.updated_at != seen.updated_at)
      return Fail(ErrorKind::kConflict,
                  "the deployment was changed by somebody else in the meantime: look at it again");
    bool tick_stays = stored.schedule == planned.schedule;
    stored.spec = planned.spec;
    stored.schedule = planned.schedule;
    stored.resolved_model_version = found->model_version;
    if (SaysWhatItDoes(change)) {
      stored.rights_of = who.subject;
      stored.rights_of_kind = who.kind;
    }
    if (!tick_stays) TRY(NextTick(stored, now));
    return stored.status == DeploymentStatus::kStopped ? Result<>() : Prepare(stored);
  };
  auto none_is_open = [](Run&) -> Result<> {
    return Fail(ErrorKind::kConflict,
                "the deployment has runs that are queued or running: wait for them, or cancel them, before its runner "
                "changes, or how often Airflow retries");
  };
  return ToOutcome(Amend(seen, amend, also, moves ? OpenRunsChange{.each = none_is_open} : OpenRunsChange()));
}

Result<Deployment> Lifecycle::SetRoles(const Deployment& seen, const std::optional<std::vector<std::string>>& roles,
                                       const Database::Work& also) {
  auto set = [&](Deployment& stored, Timestamp) -> Result<> {
    TRY(RequireSound(stored));
    stored.spec.allowed_roles = roles;
    return {};
  };
  return Amend(seen, set, also);
}

void Lifecycle::End(const Deployment& deployment, Run& run, const Person& who, const std::string& why) const {
  run.cancelled_by = who.username;
  const auto* dispatcher = parts_.runners.Find(deployment.spec);
  // Of a runner that this server does not have, another server may be at work.
  if (dispatcher != nullptr ? dispatcher->OwnsCancellation(run) : run.leased_by || run.airflow_run_id) return;
  run.status = RunStatus::kFailed;
  run.error_message = why;
  run.finished_at = parts_.clock.Now();
}

/// Of runs that nobody has taken up, unless a dispatcher ends even those.
std::optional<OpenRunsChange::End> Lifecycle::EndOfUntouched(const Deployment& deployment, const Person& who,
                                                             const std::string& why) const {
  const auto* dispatcher = parts_.runners.Find(deployment.spec);
  if (dispatcher != nullptr && dispatcher->OwnsCancellation(Run{})) return std::nullopt;
  return OpenRunsChange::End{who.username, why, parts_.clock.Now()};
}

Result<Deployment> Lifecycle::Stop(const Deployment& seen, const Person& who, const Database::Work& also) {
  auto stop = [](Deployment& stored, Timestamp now) -> Result<> {
    if (stored.status == DeploymentStatus::kStopped) return {};
    stored.status = DeploymentStatus::kStopped;
    stored.stopped_at = now;
    return {};
  };
  constexpr auto kWhy = "the deployment was stopped before the run began";
  auto each = [&](Run& run) -> Result<> {
    // A run that has begun goes on, also where it waits to be tried again: its lost attempt may have committed.
    bool begun = run.status != RunStatus::kQueued || run.started_at;
    if (!begun) End(seen, run, who, kWhy);
    return {};
  };
  return Amend(seen, stop, also, {EndOfUntouched(seen, who, kWhy), each});
}

Result<Deployment> Lifecycle::Start(const Deployment& seen, const Database::Work& also) {
  TRY(RequireRights(seen));
  // The target is looked at, as far as it can be: a run that finds another one than was seen here fails by itself.
  auto own_rows = seen.spec.batch.own_rows;
  if (seen.status == DeploymentStatus::kStopped || seen.status == DeploymentStatus::kFailed)
    if (auto planned = Plan(seen.spec, seen.schedule, parts_.clock.Now())) own_rows = planned->own_rows;
  auto start = [&](Deployment& stored, Timestamp now) -> Result<> {
    if (stored.status != DeploymentStatus::kStopped && stored.status != DeploymentStatus::kFailed) return {};
    TRY(RequireSound(stored));
    stored.status = DeploymentStatus::kActive;
    stored.stopped_at.reset();
    stored.error_message.reset();
    if (stored.updated_at == seen.updated_at) stored.spec.batch.own_rows = own_rows;
    TRY(NextTick(stored, now));  // ticks while it was stopped are not missed ones
    return Prepare(stored);
  };
  return Amend(seen, start, also);
}

Result<Deployment> Lifecycle::Archive(const Deployment& seen, const Person& who, const Database::Work& also) {
  auto archive = [](Deployment& stored, Timestamp) -> Result<> {
    stored.status = DeploymentStatus::kArchived;
    return {};
  };
  constexpr auto kWhy = "the deployment was archived";
  auto each = [&](Run& run) -> Result<> {
    End(seen, run, who, kWhy);
    return {};
  };
  return Amend(seen, archive, also, {EndOfUntouched(seen, who, kWhy), each});
}

}  // namespace slipway::deployments
