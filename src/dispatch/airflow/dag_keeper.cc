#include "dispatch/airflow/dag_keeper.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "dispatch/contained.h"

namespace slipway::dispatch {
namespace {

using deployments::DeploymentStatus;

constexpr size_t kLongestMessage = 4000;
constexpr int64_t kLargestDag = int64_t{16} << 20;

/// The end of a stack trace is what says what is wrong.
std::string Tail(const std::string& text) {
  return text.size() <= kLongestMessage ? text : "…" + text.substr(text.size() - kLongestMessage);
}

}  // namespace

void DagKeeper::Prepare(Deployment& deployment, const std::string& folder) {
  if (!deployment.dag_id) {
    deployment.dag_id = DagIdOf(deployment);
    deployment.dag_location = folder + "/" + *deployment.dag_id + ".py";
  }
  if (!deployment.dag_digest) deployment.dag_digest = "";  // from now on there may be a file
  if (deployment.status == DeploymentStatus::kStopped || deployment.status == DeploymentStatus::kArchived) return;
  deployment.status = !deployment.dag_digest->empty() ? DeploymentStatus::kDeploying : DeploymentStatus::kPending;
  deployment.error_message.reset();
}

Result<bool> DagKeeper::Round(const std::vector<Deployment>& deployments) {
  dags_ = airflow_.ListDags(std::string(kDagTag));
  import_errors_ = airflow_.ListImportErrors();
  bool under_way = false;
  for (const auto& deployment : deployments) {
    bool gone = deployment.status == DeploymentStatus::kArchived || !options_.scope.Has(deployment.spec);
    auto settled = Contained([&] { return gone ? Remove(deployment) : Settle(deployment); });
    if (!settled) {
      Log(LogLevel::kWarning, "dag_not_settled", {{"deployment", deployment.name}, {"error", settled.error().message}});
      // What keeps a deployment from becoming active is told on it; an active one goes on in Airflow.
      if (!gone && deployment.status != DeploymentStatus::kActive && deployment.status != DeploymentStatus::kStopped)
        Note(deployment, deployment.status, settled.error().message + "; trying again");
    }
    under_way |= !settled || !*settled;
  }
  return under_way && dags_;  // while Airflow is away there is no hurry
}

void DagKeeper::Note(const Deployment& deployment, DeploymentStatus status, const std::string& message) {
  if (deployment.status == status && deployment.error_message == message) return;
  auto noted = Change(deployment, [&](Deployment& d) {
    d.status = status;
    d.error_message = message;
  });
  if (!noted) Log(LogLevel::kError, "note_failed", {{"deployment", deployment.name}, {"error", noted.error().message}});
}

Result<bool> DagKeeper::Change(const Deployment& seen, const std::function<void(Deployment&)>& change) {
  bool same = true;
  auto changed = store_.ChangeDeployment(seen.deployment_id, [&](Deployment& stored) -> Result<> {
    same = stored.updated_at == seen.updated_at && stored.status == seen.status;
    if (same) change(stored);
    return {};
  });
  if (!changed && changed.error().kind == ErrorKind::kConflict) return false;  // it was archived
  TRY(changed);
  return same;
}

Result<> DagKeeper::Write(Deployment& deployment, const DagFile& file) {
  TRY(Wrap(io_.Replace(*deployment.dag_location, file.text), "write the DAG"));
  auto now = clock_.Now();
  auto write = [&](Deployment& d) {
    d.dag_digest = file.digest;
    d.dag_written_at = now;
    if (d.status != DeploymentStatus::kStopped) d.status = DeploymentStatus::kDeploying;
    d.error_message.reset();
  };
  ASSIGN(auto written, Change(deployment, write));
  if (written) write(deployment);
  Log(LogLevel::kInfo, "dag_written",
      {{"deployment", deployment.name}, {"file", *deployment.dag_location}, {"digest", file.digest}});
  return {};
}

/// Whether the deployment is in Airflow as it should be.
Result<bool> DagKeeper::Settle(Deployment deployment) {
  if (!deployment.dag_id || !deployment.dag_digest) {  // it was the local dispatcher's
    TRY(Change(deployment, [&](Deployment& d) { Prepare(d, options_.dags); }));
    return false;
  }
  ASSIGN(auto file, RenderDag(deployment, options_.settings));
  auto& checked_at = checked_at_[*deployment.dag_id];
  if (deployment.dag_digest != file.digest) {
    TRY(Write(deployment, file));
    checked_at = MonotonicSeconds();
  } else if (checked_at == 0 || MonotonicSeconds() - checked_at > options_.check_seconds) {
    auto there = io_.Read(*deployment.dag_location, kLargestDag);
    if (!there && there.error().kind != ErrorKind::kNotFound) return Failure(there.error());
    if (!there || *there != file.text) {
      Log(LogLevel::kWarning, "dag_mended", {{"deployment", deployment.name}, {"was", there ? "changed" : "missing"}});
      TRY(Wrap(io_.Replace(*deployment.dag_location, file.text), "write the DAG"));
    }
    checked_at = MonotonicSeconds();
  }
  TRY(dags_);
  auto found = dags_->find(*deployment.dag_id);
  bool parsed = found != dags_->end() && !found->second.stale &&
                std::ranges::find(found->second.tags, file.tag()) != found->second.tags.end();
  bool stopped = deployment.status == DeploymentStatus::kStopped;
  if (parsed) {
    // Airflow asks nobody before a tick: what has not the rights to run is paused there, and says why.
    auto may = options_.may_run ? options_.may_run(deployment) : Result<>();
    if (!may && may.error().kind != ErrorKind::kDenied) return Failure(may.error());
    if (found->second.paused != (stopped || !may)) TRY(airflow_.SetPaused(*deployment.dag_id, stopped || !may));
    if (!may && !stopped) return Note(deployment, DeploymentStatus::kFailed, may.error().message), true;
    if (stopped || deployment.status == DeploymentStatus::kActive) return true;
    return Change(deployment, [](Deployment& d) {
      d.status = DeploymentStatus::kActive;
      d.error_message.reset();
    });
  }
  if (stopped) return false;
  TRY(import_errors_);
  auto error = import_errors_->find(*deployment.dag_id + ".py");
  auto waited = std::chrono::duration<double>(clock_.Now() - deployment.dag_written_at.value_or(clock_.Now())).count();
  if (error != import_errors_->end()) {
    Note(deployment, DeploymentStatus::kFailed, "Airflow cannot import the DAG: " + Tail(error->second));
  } else if (waited > options_.parse_seconds) {
    Note(deployment, DeploymentStatus::kFailed,
         fmt::format(
             "Airflow at {} has not parsed {} after {} s: does one of its DAG bundles (or its DAG folder) watch {}?",
             options_.airflow.url, *deployment.dag_location, options_.parse_seconds, options_.dags));
  } else if (deployment.status == DeploymentStatus::kActive) {  // the DAG went stale, or was deleted in Airflow
    Note(deployment, DeploymentStatus::kDeploying, "Airflow does not have the DAG (any more); waiting for it");
  }
  return false;
}

/// First the file, then the DAG once Airflow has noticed: the other way round it comes back. Whether both are gone.
Result<bool> DagKeeper::Remove(const Deployment& deployment) {
  TRY(Wrap(io_.Delete(*deployment.dag_location), "delete the DAG"));
  TRY(dags_);
  if (auto found = dags_->find(*deployment.dag_id); found != dags_->end()) {
    if (!found->second.stale) return false;
    TRY(airflow_.DeleteDag(*deployment.dag_id));
  }
  TRY(store_.ForgetDag(deployment.deployment_id, options_.scope));
  checked_at_.erase(*deployment.dag_id);
  Log(LogLevel::kInfo, "dag_removed", {{"deployment", deployment.name}, {"dag_id", *deployment.dag_id}});
  return true;
}

}  // namespace slipway::dispatch
