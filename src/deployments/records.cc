#include "deployments/records.h"

#include <array>

#include "base/format.h"

namespace slipway::deployments {
namespace {

constexpr std::array<std::string_view, 6> kDeploymentStatuses = {"pending", "deploying", "active",
                                                                 "failed",  "stopped",   "archived"};
constexpr std::array<std::string_view, 4> kRunStatuses = {"queued", "running", "succeeded", "failed"};
constexpr std::array<std::string_view, 4> kRunCauses = {"schedule", "manual", "backfill", "airflow"};

template <typename Status, size_t N>
Result<Status> Parse(std::string_view text, const std::array<std::string_view, N>& names) {
  for (size_t i = 0; i < N; ++i)
    if (names[i] == text) return static_cast<Status>(i);
  return Fail(ErrorKind::kInvalid, "no status '{}'", text);
}

}  // namespace

std::string_view ToString(DeploymentStatus status) { return kDeploymentStatuses[static_cast<size_t>(status)]; }
std::string_view ToString(RunStatus status) { return kRunStatuses[static_cast<size_t>(status)]; }
std::string_view ToString(RunCause cause) { return kRunCauses[static_cast<size_t>(cause)]; }
Result<DeploymentStatus> ParseDeploymentStatus(std::string_view text) {
  return Parse<DeploymentStatus>(text, kDeploymentStatuses);
}
Result<RunStatus> ParseRunStatus(std::string_view text) { return Parse<RunStatus>(text, kRunStatuses); }
Result<RunCause> ParseRunCause(std::string_view text) { return Parse<RunCause>(text, kRunCauses); }

}  // namespace slipway::deployments
