#include "server/api.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "server/api_state.h"

namespace slipway::server {
namespace {

using auth::Permission;
using auth::Verdict;

Response Unauthenticated(std::string_view why, bool tried) {
  auto response = ErrorAnswer(401, why);
  // RFC 6750, section 3: no error code where no credentials were sent.
  response.headers["WWW-Authenticate"] = tried ? R"(Bearer realm="slipway", error="invalid_token")" : R"(Bearer realm="slipway")";
  return response;
}

/// The path's parts under the names that the pattern gives them, or nothing where it does not fit. `{path}` at the end takes all.
std::optional<std::map<std::string, std::string>> Fit(const std::string& pattern, const std::vector<std::string>& path) {
  std::map<std::string, std::string> named;
  size_t at = 1, i = 0;
  for (; at <= pattern.size() && i < path.size(); ++i) {
    auto end = std::min(pattern.find('/', at), pattern.size());
    auto part = pattern.substr(at, end - at);
    if (part == "{path}") return named;
    if (part.starts_with('{')) {
      if (path[i].empty()) return std::nullopt;
      named[part.substr(1, part.size() - 2)] = path[i];
    } else if (part != path[i]) {
      return std::nullopt;
    }
    at = end + 1;
  }
  if (at <= pattern.size() || i < path.size()) return std::nullopt;
  return named;
}

std::expected<json::object, Response> ReadQuery(const contract::ObjectDescription* description, const Request& request) {
  if (description == nullptr) return json::object();
  json::object given;
  for (const auto& [name, value] : request.query) given[name] = value;
  std::vector<contract::ValidationError> errors;
  auto query = Parse(*description, given, {"query"}, errors);
  if (!errors.empty()) return std::unexpected(ValidationAnswer(errors));
  return query;
}

auth::Guarded GuardedOf(const deployments::Deployment& deployment) {
  auth::Guarded guarded{deployment.created_by, {}};
  if (const auto& roles = deployment.body.at("allowed_roles"); roles.is_array())
    for (const auto& role : roles.get_array()) guarded.allowed_roles.emplace(role.as_string());
  return guarded;
}

/// Why an answer refused, for the audit log.
std::optional<std::string> DetailOf(const Response& response) {
  if (response.status < 400) return std::nullopt;
  return response.body.substr(0, 500);
}

}  // namespace

Api::State::State(ApiParts given) : parts(std::move(given)) {
  using namespace contract;
  const std::string model = "/api/models/{model}/deployments", one = model + "/{name}", key = "/api/user/psk", run = one + "/runs/{run_id}";
  routes = {
      {{"POST", model, "create a deployment", &CreateDeploymentBody(), &DeploymentView(), 201, &CreateQuery()},
       Permission::kCreate,
       &State::Create},
      {{"GET", model, "a model's deployments", nullptr, &DeploymentView(), 200, &DeploymentsQuery(), true},
       Permission::kList,
       &State::List},
      {{"GET", "/api/deployments", "all deployments", nullptr, &DeploymentView(), 200, &DeploymentsQuery(), true},
       Permission::kList,
       &State::List},
      {{"GET", one, "one deployment", nullptr, &DeploymentView()}, Permission::kSee, &State::GetOne},
      {{"PATCH", one, "change a deployment", &PatchBody(), &DeploymentView()}, Permission::kManage, &State::Patch},
      {{"DELETE", one, "archive a deployment; its runs stay", nullptr, &DeploymentView()}, Permission::kManage, &State::Archive},
      {{"PUT", one + "/allowed_roles", "who may use it", &AllowedRolesBody(), &DeploymentView()}, Permission::kManage, &State::SetRoles},
      {{"POST", one + "/stop", "no more ticks and triggers", nullptr, &DeploymentView()}, Permission::kManage, &State::Stop},
      {{"POST", one + "/start", "go on after a stop", nullptr, &DeploymentView()}, Permission::kManage, &State::StartAgain},
      {{"POST", one + "/trigger", "start a run", &TriggerBody(), &RunView(), 202, nullptr, false, true},
       Permission::kManage,
       &State::Trigger},
      {{"POST", one + "/backfill", "a run for each missed tick, oldest first", &BackfillBody(), &RunView(), 202, nullptr, true},
       Permission::kManage,
       &State::Backfill},
      {{"GET", one + "/runs", "a deployment's runs, newest first", nullptr, &RunView(), 200, &PageQuery(), true},
       Permission::kSee,
       &State::ListRuns},
      {{"POST", one + "/runs", "what a DAG run did", &CallbackBody(), &RunView()}, Permission::kCallback, &State::Callback},
      {{"GET", run, "one run", nullptr, &RunView()}, Permission::kSee, &State::GetRun},
      {{"POST", run + "/cancel", "end a queued or running run", nullptr, &RunView(), 202}, Permission::kManage, &State::Cancel},
      {{"POST", key, "make a key of one's own", &UserKeyBody(), &NewUserKeyView(), 201}, Permission::kOwnKeys, &State::CreateKey},
      {{"GET", key, "one's own keys", nullptr, &UserKeyView(), 200, nullptr, true}, Permission::kOwnKeys, &State::ListKeys},
      {{"POST", key + "/{id}/regenerate", "a new secret for a key", nullptr, &NewUserKeyView()},
       Permission::kOwnKeys,
       &State::RegenerateKey},
      {{"DELETE", key + "/{id}", "revoke a key", nullptr, nullptr, 204}, Permission::kOwnKeys, &State::DeleteKey},
      {{"GET", "/api/audit", "who did what, newest first", nullptr, &AuditView(), 200, &AuditQuery(), true},
       Permission::kPlatform,
       &State::Audit},
      {{"GET", "/openapi.json", "this document"}, Permission::kAnyone, &State::OpenApi},
      {{"GET", "/healthz", "whether the server lives"}, Permission::kAnyone, &State::Health},
      {{"GET", "/readyz", "whether the server can work, and why not"}, Permission::kAnyone, &State::Ready},
      {{"GET", "/metrics", "Prometheus metrics"}, Permission::kAnyone, &State::Metrics},
  };
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"})
    routes.push_back(
        {{method, one + "/run/{path}", "proxy to an online deployment", nullptr, nullptr, 409}, Permission::kManage, &State::Proxy});
  std::vector<Operation> operations;
  for (auto& route : routes) {
    route.operation.guarded = route.permission != Permission::kAnyone;
    operations.push_back(route.operation);
  }
  openapi = OpenApiDocument(operations);
}

Response Api::State::Answer(Request request) {
  const Route* route = nullptr;
  std::string allowed;
  for (const auto& candidate : routes) {
    auto named = Fit(candidate.operation.path, request.path);
    if (!named) continue;
    allowed += (allowed.empty() ? "" : ", ") + candidate.operation.method;
    if (candidate.operation.method != request.method || route != nullptr) continue;
    route = &candidate;
    request.parameters = std::move(*named);
  }
  if (route == nullptr) {
    auto response = allowed.empty() ? ErrorAnswer(404, "Not Found") : ErrorAnswer(405, "Method Not Allowed");
    if (!allowed.empty()) response.headers["Allow"] = allowed;
    return response;
  }
  Call call{request, {}, std::nullopt, {}};
  auto response = [&]() -> Response {
    auto tried = !request.Header("authorization").empty() || !request.Header("authorization-psk").empty();
    if (route->permission != Permission::kAnyone) {
      auto who = parts.authenticator.Identify(request.Header("authorization"), request.Header("authorization-psk"));
      if (!who) return who.error().kind == ErrorKind::kDenied ? Unauthenticated(who.error().message, true) : ErrorAnswer(who.error());
      call.who = std::move(*who);
    }
    std::optional<auth::Guarded> guarded;
    if (request.parameters.contains("name") && call.who.kind != auth::Identity::Kind::kNobody) {
      auto found = parts.store.FindDeployment(request.parameters.at("model"), request.parameters.at("name"));
      if (!found) return ErrorAnswer(found.error());
      call.found = std::move(*found);
      guarded = GuardedOf(call.found->deployment);
    }
    switch (auth::Decide(route->permission, call.who, guarded ? &*guarded : nullptr)) {
      case Verdict::kUnauthenticated:
        return Unauthenticated("Credentials are missing: send a token or the platform PSK as a bearer, or a key in Authorization-PSK",
                               tried);
      case Verdict::kForbidden: return ErrorAnswer(403, fmt::format("this {} may not do that here", ToString(call.who.kind)));
      case Verdict::kAllowed: break;
    }
    auto query = ReadQuery(route->operation.query, request);
    if (!query) return query.error();
    call.query = std::move(*query);
    return (this->*route->handler)(call);
  }();
  requests.Add({{"method", request.method}, {"route", route->operation.path}, {"status", std::to_string(response.status)}}).Increment();
  if (request.method != "GET" && call.who.kind != auth::Identity::Kind::kNobody) {
    auto named = [&](const char* name) {
      auto found = request.parameters.find(name);
      return found == request.parameters.end() ? std::nullopt : std::optional(found->second);
    };
    AuditEntry entry{parts.clock.Now(), call.who.subject,  ToString(call.who.kind), request.method + " " + route->operation.path,
                     named("model"),    named("name"),     response.status,         DetailOf(response),
                     request.remote,    request.request_id};
    if (auto written = parts.audit.Append(entry); !written)
      Log(LogLevel::kError, "audit_not_written", {{"error", written.error().message}});
  }
  return response;
}

Api::Api(ApiParts parts) : state_(std::make_unique<State>(std::move(parts))) {}
Api::~Api() = default;
Response Api::Answer(const Request& request) { return state_->Answer(request); }

void Api::CountRun(const deployments::Run& run, const std::map<std::string, double>& stage_seconds) {
  state_->ended_runs.Add({{"status", std::string(ToString(run.status))}}).Increment();
  if (run.status == deployments::RunStatus::kSucceeded) state_->rows.Add({}).Increment(static_cast<double>(run.rows_scored.value_or(0)));
  for (const auto& [stage, seconds] : stage_seconds) state_->stage_seconds.Add({{"stage", stage}}).Increment(seconds);
}

}  // namespace slipway::server
