#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <expected>
#include <string>
#include <vector>

#include "auth/permissions.h"
#include "base/json.h"
#include "contract/deployment_body.h"
#include "server/answers.h"
#include "server/api.h"
#include "server/openapi.h"

/// The inside of Api, for the .cc files of its endpoints.
namespace slipway::server {

/// A request that was let in: who asks, and the deployment that its path names, if any.
struct Call {
  const Request& request;
  auth::Identity who;
  std::optional<deployments::DeploymentWithRun> found;
  const deployments::Deployment& deployment() const { return found->deployment; }
  json::object query;  ///< as the route describes it
};

struct Api::State {
  using Handler = Response (State::*)(const Call&);
  struct Route {
    Operation operation;
    auth::Permission permission;
    Handler handler;
  };

  ApiParts parts;
  std::vector<Route> routes;
  json::object openapi;
  prometheus::Registry metrics;
  prometheus::Family<prometheus::Counter>& requests =
      prometheus::BuildCounter().Name("slipway_requests_total").Help("Requests by method, route and status").Register(metrics);
  prometheus::Family<prometheus::Gauge>& runs =
      prometheus::BuildGauge().Name("slipway_runs_in_progress").Help("Runs by state").Register(metrics);
  prometheus::Family<prometheus::Counter>& ended_runs =
      prometheus::BuildCounter().Name("slipway_runs_total").Help("Runs that ended, by status").Register(metrics);
  prometheus::Family<prometheus::Counter>& rows =
      prometheus::BuildCounter().Name("slipway_rows_scored_total").Help("Rows of runs that succeeded").Register(metrics);
  prometheus::Family<prometheus::Counter>& stage_seconds =
      prometheus::BuildCounter().Name("slipway_stage_seconds_total").Help("Processor seconds of runs by stage").Register(metrics);
  prometheus::Family<prometheus::Gauge>& queue_age =
      prometheus::BuildGauge().Name("slipway_queue_age_seconds").Help("How long the oldest queued run has waited").Register(metrics);

  explicit State(ApiParts given);
  Response Answer(Request request);

  // deployments_api.cc
  Response Create(const Call& call);
  Response List(const Call& call);
  Response GetOne(const Call& call);
  Response Patch(const Call& call);
  Response SetRoles(const Call& call);
  Response Stop(const Call& call);
  Response StartAgain(const Call& call);
  Response Archive(const Call& call);
  // runs_api.cc
  Response Trigger(const Call& call);
  Response Backfill(const Call& call);
  Response ListRuns(const Call& call);
  Response GetRun(const Call& call);
  Response Cancel(const Call& call);
  Response Callback(const Call& call);
  Response Proxy(const Call& call);
  // keys_api.cc
  Response CreateKey(const Call& call);
  Response ListKeys(const Call& call);
  Response RegenerateKey(const Call& call);
  Response DeleteKey(const Call& call);
  // platform_api.cc
  Response Audit(const Call& call);
  Response OpenApi(const Call& call);
  Response Health(const Call& call);
  Response Ready(const Call& call);
  Response Metrics(const Call& call);

  /// Checks what a body means and fills the record; the answer that refuses it otherwise.
  std::optional<Response> Plan(const json::object& body, const std::string& model, Timestamp now, deployments::Deployment& deployment);
  /// Ends what waits or runs for a deployment.
  Result<> EndRuns(const deployments::Deployment& deployment, const std::string& why, const auth::Identity& who, bool running);
};

/// A body as FastAPI takes it and `description` has it, or the answer that refuses it.
std::expected<json::object, Response> ReadBody(const Request& request, const contract::ObjectDescription& description,
                                               std::vector<std::string>* ignored = nullptr);

/// The limit and the cursor of a page's query; the answer that refuses the cursor.
std::expected<std::pair<int, std::optional<int64_t>>, Response> ReadPage(const json::object& query);

/// A text of a query, where it is given.
std::optional<std::string> QueryText(const json::object& query, const char* name);

}  // namespace slipway::server
