#include "dispatch/airflow/run_keeper.h"

#include <algorithm>

#include "base/format.h"
#include "base/json.h"
#include "base/log.h"
#include "deployments/airflow_names.h"
#include "dispatch/contained.h"
#include "dispatch/elsewhere.h"
#include "scoring/run_files.h"

namespace slipway::dispatch {
namespace {

using deployments::DeploymentStatus;
using deployments::RunStatus;
using namespace std::chrono_literals;

constexpr std::chrono::minutes kFirstLook = 24h, kClocksDiffer = 5min;
constexpr size_t kMostRemembered = 100'000;

bool IsOver(const DagRun& dag_run) { return dag_run.state == "success" || dag_run.state == "failed"; }

}  // namespace

Result<bool> RunKeeper::Round(const std::vector<Deployment>& deployments) {
  std::map<std::string, const Deployment*> by_id, by_dag;
  for (const auto& deployment : deployments) {
    by_id[deployment.deployment_id] = &deployment;
    if (deployment.dag_id) by_dag[*deployment.dag_id] = &deployment;
  }
  ASSIGN(auto open, store_.OpenRuns(options_.scope));
  for (const auto& run : open) {
    auto found = by_id.find(run.deployment_id);
    auto done = Contained([&]() -> Result<> {
      if (found == by_id.end()) return Fail(run, "the deployment is gone");
      if (run.damage) return Fail(run, *run.damage);
      return run.attempt == 0 || run.leased_by ? Trigger(*found->second, run) : Follow(*found->second, run);
    });
    if (!done) Log(LogLevel::kWarning, "run_not_settled", {{"run_id", run.run_id}, {"error", done.error().message}});
  }
  auto now = SystemClock().Now();
  ASSIGN(auto changed, airflow_.ListChangedDagRuns(looked_at_ ? *looked_at_ - kClocksDiffer : now - kFirstLook));
  bool all = true;
  for (const auto& dag_run : changed) {
    auto found = by_dag.find(dag_run.dag_id);
    if (found == by_dag.end()) continue;
    std::pair key{dag_run.dag_id, dag_run.dag_run_id};
    std::pair state{dag_run.state, dag_run.ended};
    if (auto known = settled_.find(key); known != settled_.end() && known->second == state) continue;
    auto adopted = Contained([&] { return Adopt(*found->second, dag_run); });
    if (!adopted) {
      Log(LogLevel::kWarning, "dag_run_not_settled",
          {{"dag_run_id", dag_run.dag_run_id}, {"error", adopted.error().message}});
      all = false;
    } else if (IsOver(dag_run)) {
      if (settled_.size() > kMostRemembered) settled_.clear();
      settled_[key] = state;
    }
  }
  if (all) looked_at_ = now;
  return !open.empty();
}

/// A run that Airflow does not know yet, or perhaps: the trigger may have got through without an answer.
Result<> RunKeeper::Trigger(const Deployment& deployment, const Run& run) {
  if (run.cancelled_by) return Fail(run, fmt::format("cancelled by {}", *run.cancelled_by));
  if (deployment.status == DeploymentStatus::kArchived) return Fail(run, "the deployment was archived");
  if (deployment.status != DeploymentStatus::kActive) return {};
  if (auto may = options_.may_run ? options_.may_run(deployment) : Result<>(); !may)
    return may.error().kind == ErrorKind::kDenied ? Fail(run, may.error().message) : may;
  auto name = run.airflow_run_id.value_or(deployments::NameInAirflow(run.run_id));
  TRY(store_.ChangeRun(run.run_id, [&](Run& stored) -> Result<> {
    stored.airflow_run_id = name;
    stored.leased_by.reset();  // the local dispatcher's, before Airflow was chosen
    stored.status = RunStatus::kQueued;
    stored.attempt = 0;
    return {};
  }));
  ASSIGN(auto token, options_.run_token(run));
  json::object conf{
      {"slipway",
       json::object{{"run_id", run.run_id}, {"logical_date", FormatTimestamp(run.logical_date)}, {"token", token}}}};
  auto triggered = airflow_.Trigger(*deployment.dag_id, name, run.logical_date, conf);
  if (!triggered && triggered.error().kind == ErrorKind::kConflict && !airflow_.FindDagRun(*deployment.dag_id, name)) {
    // Another run has that logical date in Airflow: this one has none there, and carries it.
    triggered = airflow_.Trigger(*deployment.dag_id, name, std::nullopt, conf);
  }
  if (!triggered && triggered.error().kind == ErrorKind::kInvalid) return Fail(run, triggered.error().message);
  if (!triggered && triggered.error().kind != ErrorKind::kConflict) return triggered;
  TRY(store_.ChangeRun(run.run_id, [](Run& stored) -> Result<> {
    stored.attempt = std::max(stored.attempt, 1);
    return {};
  }));
  Log(LogLevel::kInfo, "dag_run_triggered", {{"run_id", run.run_id}, {"dag_run_id", name}});
  return {};
}

Result<> RunKeeper::Follow(const Deployment& deployment, const Run& run) {
  if (!run.airflow_run_id) return {};
  auto dag_run = airflow_.FindDagRun(*deployment.dag_id, *run.airflow_run_id);
  if (!dag_run && dag_run.error().kind == ErrorKind::kNotFound)
    return Conclude(deployment, run, "the DAG run was deleted in Airflow, or never was there");
  TRY(dag_run);
  if (run.cancelled_by && !IsOver(*dag_run)) return airflow_.FailDagRun(*deployment.dag_id, *run.airflow_run_id);
  if (!IsOver(*dag_run) && run.status == RunStatus::kRunning) return {};
  ASSIGN(auto task, TaskOf(*dag_run));
  return Apply(deployment, run, *dag_run, task);
}

Result<TaskInstance> RunKeeper::TaskOf(const DagRun& dag_run) {
  auto task = airflow_.FindTask(dag_run.dag_id, dag_run.dag_run_id, std::string(kDagTask));
  if (!task && task.error().kind == ErrorKind::kNotFound) return TaskInstance{};
  return task;
}

/// Clearing a task gives it as many tries as it has had, and its retries once more.
int RunKeeper::ClearedTimes(const Deployment& deployment, const TaskInstance& task) const {
  auto retries = static_cast<int>(deployment.spec.retries.value_or(options_.settings.retries));
  return std::max(0, task.max_tries - retries);
}

Result<> RunKeeper::Adopt(const Deployment& deployment, const DagRun& dag_run) {
  // A tick from before the schedule was set, or while the deployment was stopped: the DAG's task leaves it alone.
  if (dag_run.scheduled && deployment.next_tick && dag_run.logical_date &&
      *dag_run.logical_date < *deployment.next_tick)
    return {};
  ASSIGN(auto task, TaskOf(dag_run));
  auto id = deployments::RunIdInAirflow(deployment.deployment_id, dag_run.dag_run_id, dag_run.slipway_run_id,
                                        ClearedTimes(deployment, task));
  auto run = store_.FindRun(id);
  if (!run && run.error().kind == ErrorKind::kNotFound) {
    auto now = clock_.Now();
    auto made = NewRun(deployment, deployments::RunCause::kAirflow,
                       dag_run.logical_date.value_or(dag_run.run_after.value_or(now)), now);
    made.run_id = id;
    made.attempt = 1;
    made.airflow_run_id = dag_run.dag_run_id;
    auto created = store_.CreateRuns({made});
    if (!created && created.error().kind != ErrorKind::kConflict) return created;
    run = store_.FindRun(id);
  }
  TRY(run);
  if (run->deployment_id != deployment.deployment_id) {
    // Whoever may trigger DAGs in Airflow may write any configuration: it reaches no other deployment's record.
    Log(LogLevel::kWarning, "dag_run_refused",
        {{"dag_id", dag_run.dag_id},
         {"dag_run_id", dag_run.dag_run_id},
         {"error", fmt::format("its configuration names run {}, which is another deployment's", run->run_id)}});
    return IsOver(dag_run) ? Result<>() : airflow_.FailDagRun(dag_run.dag_id, dag_run.dag_run_id);
  }
  return Apply(deployment, *run, dag_run, task);
}

Result<> RunKeeper::Apply(const Deployment& deployment, const Run& run, const DagRun& dag_run,
                          const TaskInstance& task) {
  if (IsFinal(run.status)) return {};
  auto current = deployments::RunIdInAirflow(deployment.deployment_id, dag_run.dag_run_id, dag_run.slipway_run_id,
                                             ClearedTimes(deployment, task));
  if (current != run.run_id)
    return Conclude(deployment, run, "it was cleared in Airflow, and is done again as another run");
  if (IsOver(dag_run)) {
    if (dag_run.state == "success")
      return Conclude(deployment, run,
                      "Airflow says success, but the target has no snapshot of this run: was it marked by hand?");
    auto state = task.state.empty() ? "never started" : task.state;
    return Conclude(deployment, run,
                    run.error_message.value_or(fmt::format("it failed in Airflow (task: {}, try {}); its log tells why",
                                                           state, task.try_number)));
  }
  if (run.status == RunStatus::kQueued && dag_run.state == "running" && task.state == "running") {
    TRY(store_.ChangeRun(run.run_id, [&](Run& stored) -> Result<> {
      stored.status = RunStatus::kRunning;
      if (!stored.started_at) stored.started_at = clock_.Now();
      return {};
    }));
  }
  return {};
}

Result<> RunKeeper::Conclude(const Deployment& deployment, const Run& run, const std::string& otherwise) {
  if (deployment.damage) return Fail(run, *deployment.damage);
  scoring::Job job{.run_id = run.run_id, .work = deployment.spec.batch, .places = options_.settings.places};
  auto found = scoring::FindOutcome(job, *options_.catalogs);
  if (!found && found.error().kind == ErrorKind::kTooLarge) found = FindOutcomeElsewhere(options_.other, job);
  ASSIGN(const auto outcome, std::move(found));
  if (!outcome) return Fail(run, run.cancelled_by ? fmt::format("cancelled by {}", *run.cancelled_by) : otherwise);
  return End(run, [&](Run& stored) {
    stored.status = RunStatus::kSucceeded;
    stored.error_message.reset();
    stored.rows_scored = outcome->rows;
    if (outcome->left_out > 0) stored.rows_left_out = outcome->left_out;
    stored.snapshot_id = outcome->snapshot_id;
    stored.model_version = outcome->model_version;
  });
}

Result<> RunKeeper::Fail(const Run& run, const std::string& why) {
  return End(run, [&](Run& stored) {
    stored.status = RunStatus::kFailed;
    stored.error_message = why;
  });
}

Result<> RunKeeper::End(const Run& run, const std::function<void(Run&)>& change) {
  auto ended = store_.ChangeRun(run.run_id, [&](Run& stored) -> Result<> {
    change(stored);
    stored.finished_at = clock_.Now();
    return {};
  });
  if (!ended && ended.error().kind == ErrorKind::kConflict) return {};  // its callback came meanwhile
  TRY(ended);
  Log(LogLevel::kInfo, "run_ended",
      {{"run_id", ended->run_id},
       {"status", std::string(ToString(ended->status))},
       {"error", ended->error_message.value_or("")}});
  if (options_.ended) options_.ended(*ended, {});
  return {};
}

}  // namespace slipway::dispatch
