#pragma once

#include <string>
#include <vector>

#include "auth/permissions.h"
#include "base/json.h"
#include "contract/deployment_body.h"
#include "deployments/lifecycle.h"
#include "http/turns.h"
#include "server/answers.h"
#include "server/api.h"
#include "server/call.h"
#include "server/openapi.h"
#include "server/rate_limits.h"
#include "server/read_body.h"

/// The inside of Api, for the .cc files of its endpoints.
namespace slipway::server {

/// What of a deployment decides who may use it.
auth::Guarded GuardedOf(const deployments::Deployment& deployment);

struct Route {
  Operation operation;
  auth::Permission permission;
  Response (Api::State::*handler)(Call&);
};

struct Api::State {
  ApiParts parts;
  std::vector<Route> routes;
  json::object openapi;
  Metrics& metrics;
  deployments::Lifecycle lifecycle;
  RateLimits rate_limits;
  http::Turns turns;  ///< by credential
  explicit State(ApiParts given);
  static std::vector<Route> Routes();  // routes.cc
  std::optional<Response> Find(Call& call) const;
  std::optional<Response> LetIn(Call& call);
  /// Finds the route, signs the caller in, and decides: nothing where the request may be answered.
  std::optional<Response> Admit(Call& call);
  Response Handle(Call& call) { return (this->*call.route->handler)(call); }
  /// Runs `work` on a thread when it is the caller's turn: the threads are not one caller's.
  http::Awaitable<Response> InTurn(http::Exchange& exchange, std::function<Response()> work);
  /// Counts, audits and logs what is answered.
  Response Conclude(Call& call, Response response);
  /// Whether the caller may have a deployment do `work`: by the rules, then by the catalogs that are asked as them.
  Result<> MayTouch(const Call& call, const scoring::Work& work) const;
  AuditEntry EntryOf(const Call& call, int status) const;
  /// Writes the entry in the transaction of what it tells of, with the `note` of then.
  Database::Work AuditedAs(Call& call, int status) const;
  Response MakeKey(Call& call, auth::UserKeys::NewKey wanted, const json::object& body);
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
  Response GetLog(Call& call);
  Response Cancel(Call& call);
  Response Callback(Call& call);
  Response Proxy(Call& call);
  // keys_api.cc
  Response CreateKey(Call& call);
  Response ListKeys(Call& call);
  Response RegenerateKey(Call& call);
  Response DeleteKey(Call& call);
  Response ListKeysOf(Call& call);
  Response RevokeKeyOf(Call& call);
  // service_accounts_api.cc
  Response CreateServiceAccount(Call& call);
  Response ListServiceAccounts(Call& call);
  Response RemoveServiceAccount(Call& call);
  Response CreateServiceKey(Call& call);
  Response ListServiceKeys(Call& call);
  Response RevokeServiceKey(Call& call);
  Response ExplainAccess(Call& call);  // access_api.cc
  // platform_api.cc
  Response Audit(Call& call);
  Response DeadLetters(Call& call);
  Response RetryDelivery(Call& call);
  Response DiscardDelivery(Call& call);
  Response OpenApi(Call& call);
  Response Docs(Call& call);  // docs.cc
  Response Health(Call& call);
  Response Ready(Call& call);
  Response ShowMetrics(Call& call);
  /// What is answered when a deployment was changed, or a run was made.
  Response Answer(const Result<deployments::Deployment>& changed, const Call& call) const;
  json::object Show(const deployments::DeploymentWithRun& both) const;
};

/// A file of the documentation's page, /docs/<file>, where the request asks for one.
std::optional<Response> DocsFile(const Request& request);

}  // namespace slipway::server
