#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "base/time.h"

namespace slipway::deployments {

enum class DeploymentStatus { kPending, kDeploying, kActive, kFailed, kStopped, kArchived };
enum class RunStatus { kQueued, kRunning, kSucceeded, kFailed };

std::string_view ToString(DeploymentStatus status);
std::string_view ToString(RunStatus status);
Result<DeploymentStatus> ParseDeploymentStatus(std::string_view text);
Result<RunStatus> ParseRunStatus(std::string_view text);

/// A deployment as the store keeps it.
struct Deployment {
  int64_t sequence = 0;  ///< the order of creation, given by the store
  std::string deployment_id;
  std::string model, name;
  DeploymentStatus status = DeploymentStatus::kPending;
  boost::json::object body;  ///< the accepted request, every field present
  std::optional<std::string> schedule;
  std::optional<Timestamp> next_tick;  ///< of the schedule; absent without one
  std::optional<std::string> resolved_model_version, error_message;
  Timestamp created_at, updated_at;
};

/// One execution, with one logical date.
struct Run {
  int64_t sequence = 0;
  std::string run_id, deployment_id;
  Timestamp logical_date;
  RunStatus status = RunStatus::kQueued;
  int attempt = 0;  ///< 1 while it runs for the first time
  std::optional<int64_t> rows_scored, snapshot_id;
  std::optional<std::string> model_version, error_message;
  std::optional<Timestamp> started_at, finished_at;
};

/// The run state machine: a queued run starts or fails (cancelled); a running one ends, or is queued again after its process
/// was lost. What is final stays.
constexpr bool CanChange(RunStatus from, RunStatus to) {
  switch (from) {
    case RunStatus::kQueued: return to == RunStatus::kRunning || to == RunStatus::kFailed;
    case RunStatus::kRunning: return to != RunStatus::kRunning;
    case RunStatus::kSucceeded:
    case RunStatus::kFailed: return false;
  }
  return false;
}

}  // namespace slipway::deployments
