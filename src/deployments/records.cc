#include "deployments/records.h"

#include "base/ids.h"
#include "deployments/airflow_names.h"

namespace slipway::deployments {

Run NewRun(const Deployment& deployment, RunCause cause, Timestamp logical_date, Timestamp now) {
  return {.run_id = NewUuid(),
          .deployment_id = deployment.deployment_id,
          .cause = cause,
          .logical_date = logical_date,
          .queued_at = now};
}

std::string NameInAirflow(const std::string& run_id) { return "slipway__" + run_id; }

std::string RunIdInAirflow(const std::string& deployment_id, const std::string& airflow_run_id,
                           const std::optional<std::string>& triggered_for, int cleared) {
  auto first = triggered_for && IsUuid(*triggered_for) ? *triggered_for : UuidOf(deployment_id, airflow_run_id);
  return cleared <= 0 ? first : UuidOf(first, std::to_string(cleared));
}

}  // namespace slipway::deployments
