#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
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
  json::object query;                ///< as the route describes it
  std::optional<std::string> about;  ///< the deployment's name, for the audit log
};

struct Api::State {
  using Handler = Response (State::*)(Call&);
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

  prometheus::Family<prometheus::Histogram>& request_seconds =
      prometheus::BuildHistogram().Name("slipway_request_seconds").Help("How long requests take").Register(metrics);
  prometheus::Family<prometheus::Gauge>& deliveries =
      prometheus::BuildGauge().Name("slipway_webhook_deliveries").Help("Webhook deliveries by status: pending, dead").Register(metrics);

  explicit State(ApiParts given);
  static std::vector<Route> Routes();  // routes.cc
  Response Answer(Request request);
  std::expected<const Route*, Response> Find(Request& request) const;
  /// Signs the caller in, decides, and answers.
  Response LetIn(const Route& route, Call& call);
  void WriteAudit(const Operation& operation, const Call& call, const Response& response);

  // deployments_api.cc
  Response Create(Call& call);
  Response List(Call& call);
  Response GetOne(Call& call);
  Response Patch(Call& call);
  Response SetRoles(Call& call);
  Response Stop(Call& call);
  Response StartAgain(Call& call);
  Response Archive(Call& call);
  // runs_api.cc
  Response Trigger(Call& call);
  Response Backfill(Call& call);
  Response ListRuns(Call& call);
  Response GetRun(Call& call);
  Response Cancel(Call& call);
  Response Callback(Call& call);
  Response Proxy(Call& call);
  // keys_api.cc
  Response CreateKey(Call& call);
  Response ListKeys(Call& call);
  Response RegenerateKey(Call& call);
  Response DeleteKey(Call& call);
  // platform_api.cc
  Response Audit(Call& call);
  Response DeadLetters(Call& call);
  Response RetryDelivery(Call& call);
  Response DiscardDelivery(Call& call);
  Response OpenApi(Call& call);
  Response Docs(Call& call);  // docs.cc
  Response Health(Call& call);
  Response Ready(Call& call);
  Response Metrics(Call& call);

  /// Checks what a body means and fills the record; the answer that refuses it otherwise.
  std::optional<Response> Plan(const json::object& body, const std::string& model, Timestamp now, deployments::Deployment& deployment);
  /// Ends what waits or runs for a deployment.
  Result<> EndRuns(const deployments::Deployment& deployment, const std::string& why, const auth::Identity& who, bool running);
};

/// A body as FastAPI takes it and `description` has it, or the answer that refuses it.
std::expected<json::object, Response> ReadBody(const Request& request, const contract::ObjectDescription& description,
                                               std::vector<std::string>* ignored = nullptr);

/// A file of the documentation's page, /docs/<file>, where the request asks for one.
std::optional<Response> DocsFile(const Request& request);

/// Which part of a list a query asks for.
struct Window {
  int limit;
  std::optional<int64_t> cursor;
};
Window ReadPage(const json::object& query);

/// A text of a query, where it is given.
std::optional<std::string> QueryText(const json::object& query, const char* name);

}  // namespace slipway::server
