#include "server/metrics.h"

namespace slipway::server {

void CountRun(Metrics& metrics, const deployments::Run& run, const std::map<std::string, double>& stage_seconds) {
  metrics.ended_runs.Add({{"status", std::string(ToString(run.status))}}).Increment();
  if (run.status == deployments::RunStatus::kSucceeded)
    metrics.rows.Add({}).Increment(static_cast<double>(run.rows_scored.value_or(0)));
  for (const auto& [stage, seconds] : stage_seconds) metrics.stage_seconds.Add({{"stage", stage}}).Increment(seconds);
}

}  // namespace slipway::server
