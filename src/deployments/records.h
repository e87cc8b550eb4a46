#pragma once

#include <optional>
#include <string>

#include "base/subject.h"
#include "base/time.h"
#include "deployments/spec.h"
#include "deployments/words.h"

namespace slipway::deployments {

enum class DeploymentStatus { kPending, kDeploying, kActive, kFailed, kStopped, kArchived };
template <>
struct Words<DeploymentStatus> {
  static constexpr auto kName = "deployment status";
  static constexpr std::array<std::string_view, 6> kAll = {"pending", "deploying", "active",
                                                           "failed",  "stopped",   "archived"};
};

enum class RunStatus { kQueued, kRunning, kSucceeded, kFailed };
template <>
struct Words<RunStatus> {
  static constexpr auto kName = "run status";
  static constexpr std::array<std::string_view, 4> kAll = {"queued", "running", "succeeded", "failed"};
};

/// Why a run is there: a tick of the schedule, a trigger by hand, a backfill, or Airflow, which told of it first.
enum class RunCause { kSchedule, kManual, kBackfill, kAirflow };
template <>
struct Words<RunCause> {
  static constexpr auto kName = "cause of a run";
  static constexpr std::array<std::string_view, 4> kAll = {"schedule", "manual", "backfill", "airflow"};
};

constexpr std::string_view ToString(DeploymentStatus status) { return WordOf(status); }
constexpr std::string_view ToString(RunStatus status) { return WordOf(status); }
constexpr std::string_view ToString(RunCause cause) { return WordOf(cause); }
inline Result<DeploymentStatus> ParseDeploymentStatus(std::string_view text) {
  return ParseWord<DeploymentStatus>(text);
}
inline Result<RunStatus> ParseRunStatus(std::string_view text) { return ParseWord<RunStatus>(text); }

/// A deployment as the store keeps it.
struct Deployment {
  int64_t sequence = 0;  ///< the order of creation, given by the store
  std::string deployment_id;
  std::string model, name;
  DeploymentStatus status = DeploymentStatus::kPending;
  std::string created_by;  ///< the creator's subject; "platform" for the platform PSK
  SubjectKind created_by_kind = SubjectKind::kPerson;
  std::string rights_of;  ///< whose rights its runs have: of who last said what it does
  SubjectKind rights_of_kind = SubjectKind::kPerson;
  DeploymentSpec spec;  ///< what was asked for
  /// Why the stored spec cannot be read: then `spec` holds its owner and domain, and no run can be made of it.
  std::optional<std::string> damage;
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
  std::optional<int64_t> rows_scored, rows_left_out, snapshot_id;
  std::optional<std::string> warning;  ///< of a run that succeeded: what somebody should look at
  std::optional<std::string> model_version, airflow_run_id, error_message;
  Timestamp queued_at;
  std::optional<Timestamp> next_attempt_at;  ///< of a queued run that is tried again: not before
  std::optional<Timestamp> started_at, finished_at;
  std::optional<std::string> cancelled_by;  ///< who asked for its end
  std::optional<std::string> leased_by;     ///< the server that runs it; absent for a run that is Airflow's
  std::optional<std::string> damage;        ///< why the stored record cannot be read as a whole

  bool operator==(const Run&) const = default;
};

/// A run that waits to be executed, with a new id.
Run NewRun(const Deployment& deployment, RunCause cause, Timestamp logical_date, Timestamp now);

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
