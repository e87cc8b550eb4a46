#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "base/time.h"

namespace slipway::deployments {

enum class DeploymentStatus { kPending, kDeploying, kActive, kFailed, kStopped, kArchived };
enum class RunStatus { kQueued, kRunning, kSucceeded, kFailed };

/// Why a run is: a tick of the schedule, a trigger by hand, a backfill, or Airflow, which told of it first.
enum class RunCause { kSchedule, kManual, kBackfill, kAirflow };

std::string_view ToString(DeploymentStatus status);
std::string_view ToString(RunStatus status);
std::string_view ToString(RunCause cause);
Result<DeploymentStatus> ParseDeploymentStatus(std::string_view text);
Result<RunStatus> ParseRunStatus(std::string_view text);
Result<RunCause> ParseRunCause(std::string_view text);

/// A deployment as the store keeps it.
struct Deployment {
  int64_t sequence = 0;  ///< the order of creation, given by the store
  std::string deployment_id;
  std::string model, name;
  DeploymentStatus status = DeploymentStatus::kPending;
  std::string created_by;    ///< the creator's subject; "platform" for the platform PSK
  boost::json::object body;  ///< the accepted request, every field present; owner, domain and allowed_roles stand there
  std::optional<std::string> schedule;
  std::optional<Timestamp> next_tick;  ///< of the schedule; absent without one
  std::optional<std::string> resolved_model_version, error_message;
  Timestamp created_at, updated_at;
  std::optional<Timestamp> stopped_at;
  /// Of a deployment that Airflow runs: its DAG and the DAG's file; the digest of the file that was last written (empty
  /// before the first time, absent when the file is gone for good), and when.
  std::optional<std::string> dag_id, dag_location, dag_digest;
  std::optional<Timestamp> dag_written_at;

  bool operator==(const Deployment&) const = default;
};

/// One execution, with one logical date.
struct Run {
  int64_t sequence = 0;
  std::string run_id, deployment_id;
  RunCause cause = RunCause::kManual;
  Timestamp logical_date;
  RunStatus status = RunStatus::kQueued;
  int attempt = 0;  ///< 1 while it runs for the first time
  std::optional<int64_t> rows_scored, snapshot_id;
  std::optional<std::string> model_version, airflow_run_id, error_message;
  Timestamp queued_at;
  std::optional<Timestamp> started_at, finished_at;
  std::optional<std::string> cancelled_by;  ///< who asked for its end
  std::optional<std::string> leased_by;     ///< the server that runs it; absent for a run that is Airflow's

  bool operator==(const Run&) const = default;
};

/// The deployment state machine. With the local dispatcher a deployment is active at once; one that Airflow runs is
/// pending until its DAG is uploaded, deploying until Airflow has parsed it; so it is again after a change. Archived is
/// final.
constexpr bool CanChange(DeploymentStatus from, DeploymentStatus to) {
  using enum DeploymentStatus;
  if (from == to) return from != kArchived;
  switch (from) {
    case kPending: return to == kDeploying || to == kActive || to == kFailed || to == kStopped || to == kArchived;
    case kDeploying: return to == kActive || to == kFailed || to == kStopped || to == kArchived;
    case kActive: return to == kPending || to == kDeploying || to == kFailed || to == kStopped || to == kArchived;
    case kFailed: return to == kPending || to == kDeploying || to == kActive || to == kStopped || to == kArchived;
    case kStopped: return to == kPending || to == kDeploying || to == kActive || to == kArchived;
    case kArchived: return false;
  }
  return false;
}

constexpr bool IsFinal(RunStatus status) { return status == RunStatus::kSucceeded || status == RunStatus::kFailed; }

/// The run state machine: a queued run starts or ends (Airflow's word of its end may come first); a running one goes
/// on, ends, or is queued again after its process was lost. What is final stays.
constexpr bool CanChange(RunStatus from, RunStatus) { return !IsFinal(from); }

}  // namespace slipway::deployments
