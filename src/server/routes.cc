#include "deployments/views.h"
#include "server/api_state.h"

namespace slipway::server {

using auth::Permission;

/// Every endpoint: what the OpenAPI document says of it, who may use it, and what answers.
std::vector<Api::State::Route> Api::State::Routes() {
  using namespace contract;
  using deployments::DeploymentView, deployments::RunView;
  const std::string model = "/api/models/{model}/deployments", one = model + "/{name}", key = "/api/user/psk",
                    run = one + "/runs/{run_id}", dead = "/api/webhooks/dead-letters";
  std::vector<Route> routes = {
      {{"POST", model, "create a deployment; 200 when it was only validated", &CreateDeploymentBody(),
        &DeploymentView(), 201, &CreateQuery(), false, false, true, 200},
       Permission::kCreate,
       &State::Create},
      {{"GET", model, "a model's deployments", nullptr, &DeploymentView(), 200, &DeploymentsQuery(), true},
       Permission::kList,
       &State::List},
      {{"GET", "/api/deployments", "all deployments", nullptr, &DeploymentView(), 200, &DeploymentsQuery(), true},
       Permission::kList,
       &State::List},
      {{"GET", one, "one deployment", nullptr, &DeploymentView()}, Permission::kSee, &State::GetOne},
      {{"PATCH", one, "change a deployment", &deployments::PatchBody(), &DeploymentView()},
       Permission::kManage,
       &State::Patch},
      {{"DELETE", one, "archive a deployment; its runs stay", nullptr, &DeploymentView()},
       Permission::kGovern,
       &State::Archive},
      {{"PUT", one + "/allowed_roles", "who may use it", &AllowedRolesBody(), &DeploymentView()},
       Permission::kGovern,
       &State::SetRoles},
      {{"POST", one + "/stop", "no more ticks and triggers", nullptr, &DeploymentView()},
       Permission::kManage,
       &State::Stop},
      {{"POST", one + "/start", "go on after a stop", nullptr, &DeploymentView()},
       Permission::kManage,
       &State::StartAgain},
      {{"POST", one + "/trigger", "start a run", &TriggerBody(), &RunView(), 202, nullptr, false, true},
       Permission::kInvoke,
       &State::Trigger},
      {{"POST", one + "/backfill", "a run for each missed tick, oldest first", &BackfillBody(), &RunView(), 202,
        nullptr, true},
       Permission::kInvoke,
       &State::Backfill},
      {{"GET", one + "/runs", "a deployment's runs, newest first", nullptr, &RunView(), 200, &PageQuery(), true},
       Permission::kSee,
       &State::ListRuns},
      {{"POST", one + "/runs", "what a DAG run did", &CallbackBody(), &RunView()},
       Permission::kCallback,
       &State::Callback},
      {{"GET", run, "one run", nullptr, &RunView()}, Permission::kSee, &State::GetRun},
      {{"POST", run + "/cancel", "end a queued or running run", nullptr, &RunView(), 202},
       Permission::kInvoke,
       &State::Cancel},
      {{"POST", key, "make a key of one's own", &UserKeyBody(), &NewUserKeyView(), 201},
       Permission::kOwnKeys,
       &State::CreateKey},
      {{"GET", key, "one's own keys", nullptr, &UserKeyView(), 200, nullptr, true},
       Permission::kOwnKeys,
       &State::ListKeys},
      {{"POST", key + "/{id}/regenerate", "a new secret for a key", nullptr, &NewUserKeyView()},
       Permission::kOwnKeys,
       &State::RegenerateKey},
      {{"DELETE", key + "/{id}", "revoke a key", nullptr, nullptr, 204}, Permission::kOwnKeys, &State::DeleteKey},
      {{"GET", "/api/audit", "who did what, newest first", nullptr, &AuditView(), 200, &AuditQuery(), true},
       Permission::kPlatform,
       &State::Audit},
      {{"GET", dead, "webhook deliveries that were given up, newest first", nullptr, &DeliveryView(), 200, &PageQuery(),
        true},
       Permission::kPlatform,
       &State::DeadLetters},
      {{"POST", dead + "/{id}/retry", "deliver it again", nullptr, nullptr, 204},
       Permission::kPlatform,
       &State::RetryDelivery},
      {{"DELETE", dead + "/{id}", "give it up for good", nullptr, nullptr, 204},
       Permission::kPlatform,
       &State::DiscardDelivery},
      {{"GET", "/openapi.json", "this document"}, Permission::kAnyone, &State::OpenApi},
      {{"GET", "/docs", "this document, to browse"}, Permission::kAnyone, &State::Docs},
      {{"GET", "/healthz", "whether the server lives"}, Permission::kAnyone, &State::Health},
      {{"GET", "/readyz", "whether the server can work, and why not"}, Permission::kAnyone, &State::Ready},
      {{"GET", "/metrics", "Prometheus metrics"}, Permission::kAnyone, &State::ShowMetrics},
  };
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"})
    routes.push_back({{method, one + "/run/{path}", "proxy to an online deployment", nullptr, nullptr, 409},
                      Permission::kInvoke,
                      &State::Proxy});
  for (auto& route : routes) route.operation.guarded = route.permission != Permission::kAnyone;
  return routes;
}

}  // namespace slipway::server
