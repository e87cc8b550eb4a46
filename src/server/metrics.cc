#include "server/metrics.h"

namespace slipway::server {

Result<> Measure(Metrics& metrics, deployments::Store& store, webhooks::Outbox& outbox, const Clock& clock) {
  for (auto status : {deployments::RunStatus::kQueued, deployments::RunStatus::kRunning}) {
    ASSIGN(auto count, store.CountOpenRuns(status));
    metrics.runs.Add({{"state", std::string(ToString(status))}}).Set(static_cast<double>(count));
  }
  for (const char* status : {"pending", "dead"}) {
    ASSIGN(auto count, outbox.Count(status));
    metrics.deliveries.Add({{"status", status}}).Set(static_cast<double>(count));
  }
  ASSIGN(auto age, store.QueueAge(clock.Now()));
  metrics.queue_age.Add({}).Set(age);
  return {};
}

void CountRun(Metrics& metrics, const deployments::Run& run, const std::map<std::string, double>& stage_seconds) {
  metrics.ended_runs.Add({{"status", std::string(ToString(run.status))}}).Increment();
  if (run.warning) metrics.warnings.Add({}).Increment();
  if (run.status == deployments::RunStatus::kSucceeded)
    metrics.rows.Add({}).Increment(static_cast<double>(run.rows_scored.value_or(0)));
  for (const auto& [stage, seconds] : stage_seconds) metrics.stage_seconds.Add({{"stage", stage}}).Increment(seconds);
}

}  // namespace slipway::server
