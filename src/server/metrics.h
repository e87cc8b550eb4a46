#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <string>

#include "deployments/records.h"
#include "deployments/store.h"
#include "webhooks/outbox.h"

namespace slipway::server {

/// What /metrics tells.
struct Metrics {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests = prometheus::BuildCounter()
                                                          .Name("slipway_requests_total")
                                                          .Help("Requests by method, route and status")
                                                          .Register(registry);
  prometheus::Family<prometheus::Gauge>& runs =
      prometheus::BuildGauge().Name("slipway_runs_in_progress").Help("Runs by state").Register(registry);
  prometheus::Family<prometheus::Counter>& ended_runs =
      prometheus::BuildCounter().Name("slipway_runs_total").Help("Runs that ended, by status").Register(registry);
  prometheus::Family<prometheus::Counter>& warnings = prometheus::BuildCounter()
                                                          .Name("slipway_run_warnings_total")
                                                          .Help("Runs that succeeded with a warning")
                                                          .Register(registry);
  prometheus::Family<prometheus::Counter>& rows = prometheus::BuildCounter()
                                                      .Name("slipway_rows_scored_total")
                                                      .Help("Rows of runs that succeeded")
                                                      .Register(registry);
  prometheus::Family<prometheus::Counter>& stage_seconds = prometheus::BuildCounter()
                                                               .Name("slipway_stage_seconds_total")
                                                               .Help("Processor seconds of runs by stage")
                                                               .Register(registry);
  prometheus::Family<prometheus::Gauge>& queue_age = prometheus::BuildGauge()
                                                         .Name("slipway_queue_age_seconds")
                                                         .Help("How long the oldest queued run has waited")
                                                         .Register(registry);

  prometheus::Family<prometheus::Histogram>& request_seconds =
      prometheus::BuildHistogram().Name("slipway_request_seconds").Help("How long requests take").Register(registry);
  prometheus::Family<prometheus::Gauge>& deliveries = prometheus::BuildGauge()
                                                          .Name("slipway_webhook_deliveries")
                                                          .Help("Webhook deliveries by status: pending, dead")
                                                          .Register(registry);
};

/// What of the store is measured, now and then: runs under way, deliveries. Its error.
Result<> Measure(Metrics& metrics, deployments::Store& store, webhooks::Outbox& outbox, const Clock& clock);

/// A run that ended, with the processor seconds of its stages.
void CountRun(Metrics& metrics, const deployments::Run& run, const std::map<std::string, double>& stage_seconds);

}  // namespace slipway::server
