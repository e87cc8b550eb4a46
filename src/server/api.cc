#include "server/api.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <charconv>

#include "auth/platform_psk.h"
#include "base/format.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/log.h"
#include "contract/deployment_body.h"
#include "contract/json_text.h"
#include "dispatch/cron.h"
#include "dispatch/work_of.h"
#include "scoring/plan.h"
#include "server/answers.h"
#include "server/openapi.h"

namespace slipway::server {
namespace {

using contract::ValidationError;
using deployments::Deployment;
using deployments::DeploymentStatus;
using deployments::Run;
using deployments::RunStatus;

constexpr int kDefaultLimit = 50, kLargestLimit = 500;

bool IsJson(std::string_view content_type) {
  auto type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return type.starts_with("application/") && (type == "application/json" || type.ends_with("+json"));
}

bool IsUtf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    auto c = static_cast<uint8_t>(text[i]);
    size_t length = c < 0x80 ? 1 : c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (size_t k = 1; k < length; ++k)
      if ((static_cast<uint8_t>(text[i + k]) & 0xc0) != 0x80) return false;
    auto second = length > 2 ? static_cast<uint8_t>(text[i + 1]) : uint8_t{0};
    if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) || (c == 0xf0 && second < 0x90) || (c == 0xf4 && second > 0x8f))
      return false;
    i += length;
  }
  return true;
}

/// A body as FastAPI takes it, or the answer that refuses it.
std::expected<json::value, Response> ReadBody(const Request& request) {
  auto refuse = [](ValidationError error) { return std::unexpected(ValidationAnswer({std::move(error)})); };
  if (request.body.empty()) return refuse({"missing", {"body"}, "Field required", nullptr, std::nullopt});
  if (!IsUtf8(request.body)) return std::unexpected(ErrorAnswer(400, "There was an error parsing the body"));
  if (!IsJson(request.Header("content-type"))) return json::value(request.body);
  auto value = contract::ParseJsonText(request.body);
  if (!value)
    return refuse({"json_invalid",
                   {"body", value.error().position},
                   "JSON decode error",
                   json::object{},
                   json::object{{"error", value.error().message}}});
  return std::move(*value);
}

/// The part of a body that `loc` names, for the `input` of an error.
json::value At(const json::object& body, const std::vector<std::string>& loc) {
  const json::object* object = &body;
  json::value value = body;
  for (const auto& name : loc) {
    const auto* found = object->if_contains(name);
    if (found == nullptr) break;
    value = *found;
    if (!found->is_object()) break;
    object = &found->get_object();
  }
  return value;
}

Result<int64_t> ReadNumber(const Request& request, const std::string& name, int64_t fallback, int64_t low, int64_t high) {
  auto found = request.query.find(name);
  if (found == request.query.end()) return fallback;
  int64_t value = 0;
  const auto& text = found->second;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || value < low || value > high)
    return Fail(ErrorKind::kInvalid, "the query's '{}' must be an integer from {} to {}", name, low, high);
  return value;
}

template <typename T, typename F>
Response PageAnswer(const deployments::Page<T>& page, F&& view) {
  json::array items;
  for (const auto& item : page.items) items.push_back(view(item));
  json::value next = page.next ? json::value(std::to_string(*page.next)) : json::value(nullptr);
  return JsonAnswer(200, json::object{{"items", std::move(items)}, {"next_cursor", next}});
}

}  // namespace

struct Api::State {
  using Handler = Response (State::*)(const Request&);
  struct Route {
    Operation operation;
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

  explicit State(ApiParts given) : parts(std::move(given)) {
    const std::string model = "/api/models/{model}/deployments", one = model + "/{name}";
    const auto &create = contract::CreateDeploymentBody(), &deployment = contract::DeploymentView(), &run = contract::RunView();
    const std::vector<std::string> page{"status", "owner", "domain", "limit", "cursor"};
    routes = {
        {{"POST", model, "create a deployment", &create, &deployment, 201, false, true, {"validate_only"}}, &State::Create},
        {{"GET", model, "a model's deployments", nullptr, &deployment, 200, true, true, page}, &State::List},
        {{"GET", "/api/deployments", "all deployments", nullptr, &deployment, 200, true, true, page}, &State::List},
        {{"GET", one, "one deployment", nullptr, &deployment, 200, false, true, {}}, &State::GetOne},
        {{"POST", one + "/trigger", "start a run", &contract::TriggerBody(), &run, 202, false, true, {}}, &State::Trigger},
        {{"GET", one + "/runs", "a deployment's runs, newest first", nullptr, &run, 200, true, true, {"limit", "cursor"}},
         &State::ListRuns},
        {{"GET", one + "/runs/{run_id}", "one run", nullptr, &run, 200, false, true, {}}, &State::GetRun},
        {{"GET", "/openapi.json", "this document", nullptr, nullptr, 200, false, false, {}}, &State::OpenApi},
        {{"GET", "/healthz", "whether the server lives", nullptr, nullptr, 200, false, false, {}}, &State::Health},
        {{"GET", "/metrics", "Prometheus metrics", nullptr, nullptr, 200, false, false, {}}, &State::Metrics},
    };
    std::vector<Operation> operations;
    for (const auto& route : routes) operations.push_back(route.operation);
    openapi = OpenApiDocument(operations);
  }

  /// Whether a path fits a route's pattern; the parts in braces go into `request.query` under their names.
  static bool Fits(const std::string& pattern, Request& request) {
    std::map<std::string, std::string> named;
    size_t at = 1;
    for (const auto& segment : request.path) {
      if (at > pattern.size()) return false;
      auto end = std::min(pattern.find('/', at), pattern.size());
      auto part = pattern.substr(at, end - at);
      if (part.starts_with('{'))
        named[part] = segment;
      else if (part != segment)
        return false;
      at = end + 1;
    }
    if (at <= pattern.size()) return false;
    for (auto& [name, value] : named) request.query[name] = value;
    return true;
  }

  Response Answer(Request request) {
    bool known_path = false;
    for (const auto& route : routes) {
      if (!Fits(route.operation.path, request)) continue;
      known_path = true;
      if (route.operation.method != request.method) continue;
      auto response = route.operation.guarded && !Authorized(request) ? Unauthorized() : (this->*route.handler)(request);
      requests.Add({{"method", request.method}, {"route", route.operation.path}, {"status", std::to_string(response.status)}}).Increment();
      return response;
    }
    return known_path ? ErrorAnswer(405, "Method Not Allowed") : ErrorAnswer(404, "Not Found");
  }

  bool Authorized(const Request& request) const {
    auto key = auth::KeyIn(request.Header("authorization"), request.Header("authorization-psk"));
    return !key.empty() && ConstantTimeEqual(key, parts.platform_psk);
  }

  static Response Unauthorized() {
    auto response =
        ErrorAnswer(401, "Credentials are missing or not valid: send the platform PSK as a bearer token or in Authorization-PSK");
    response.headers["WWW-Authenticate"] = "Bearer";
    return response;
  }

  Response Create(const Request& request) {
    auto body = ReadBody(request);
    if (!body) return body.error();
    std::vector<ValidationError> errors;
    std::vector<std::string> ignored;
    auto parsed = Parse(contract::CreateDeploymentBody(), *body, {"body"}, errors, &ignored);
    if (!errors.empty()) return ValidationAnswer(errors);
    auto now = parts.clock.Now();
    Deployment deployment;
    auto refused = Plan(parsed, request.query.at("{model}"), now, deployment);
    if (refused) return *refused;
    auto validate_only = request.query.find("validate_only");
    bool store = validate_only == request.query.end() || (validate_only->second != "true" && validate_only->second != "1");
    std::optional<Run> run;
    if (store) {
      if (auto created = parts.store.CreateDeployment(deployment); !created) return ErrorAnswer(created.error());
      Log(LogLevel::kInfo, "deployment_created", {{"deployment", deployment.name}, {"model", deployment.model}});
      if (parsed.at("trigger_now").as_bool()) {
        run = Run{.run_id = NewUuid(), .deployment_id = deployment.deployment_id, .logical_date = now};
        if (auto queued = parts.store.CreateRun(*run); !queued) return ErrorAnswer(queued.error());
        parts.dispatcher.Wake();
      }
    } else if (parts.store.FindDeployment(deployment.model, deployment.name)) {
      return ErrorAnswer(409, fmt::format("model '{}' has a deployment named '{}' already", deployment.model, deployment.name));
    }
    auto response = JsonAnswer(store ? 201 : 200, ViewOf(deployment, run));
    std::string names;
    for (const auto& name : ignored)
      if (std::ranges::all_of(name, [](unsigned char c) { return c > 32 && c < 127 && c != ','; }))
        names += (names.empty() ? "" : ", ") + name;
    if (!names.empty()) response.headers["Slipway-Ignored-Fields"] = names;
    return response;
  }

  /// Checks what a body means and fills the record; the answer that refuses it otherwise.
  std::optional<Response> Plan(const json::object& body, const std::string& model, Timestamp now, Deployment& deployment) {
    std::vector<ValidationError> errors;
    std::string missing;
    deployment = {0,
                  NewUuid(),
                  model,
                  std::string(body.at("name").as_string()),
                  DeploymentStatus::kActive,
                  body,
                  std::nullopt,
                  std::nullopt,
                  std::nullopt,
                  std::nullopt,
                  now,
                  now};
    if (const auto& schedule = body.at("schedule"); schedule.is_string()) {
      deployment.schedule = std::string(schedule.get_string());
      auto cron = dispatch::Cron::Parse(*deployment.schedule);
      if (cron)
        deployment.next_tick = cron->Next(now);
      else
        errors.push_back(contract::ValueError({"schedule"}, cron.error().message, schedule));
    }
    auto work = dispatch::WorkOf(body, model);
    if (!work) return ErrorAnswer(work.error());
    auto plan = scoring::MakePlan(*work, parts.places, parts.catalog, now, parts.clock);
    if (plan) {
      deployment.resolved_model_version = plan->model_version.version;
    } else {
      for (const auto& problem : plan.error()) {
        if (problem.kind == ErrorKind::kUnavailable || problem.kind == ErrorKind::kIo || problem.kind == ErrorKind::kInternal)
          return ErrorAnswer({problem.kind == ErrorKind::kInternal ? ErrorKind::kInternal : ErrorKind::kUnavailable, problem.message});
        if (problem.kind == ErrorKind::kNotFound)
          missing += (missing.empty() ? "" : "; ") + problem.message;
        else
          errors.push_back(contract::ValueError(problem.loc, problem.message, At(body, problem.loc)));
      }
    }
    if (!errors.empty()) return ValidationAnswer(errors);
    if (!missing.empty()) return ErrorAnswer(404, missing);
    return std::nullopt;
  }

  Response List(const Request& request) {
    deployments::DeploymentFilter filter;
    auto text = [&](const std::string& name) {
      auto f = request.query.find(name);
      return f == request.query.end() ? std::nullopt : std::optional(f->second);
    };
    filter.model = text("{model}");
    filter.owner = text("owner");
    filter.domain = text("domain");
    if (auto status = text("status")) {
      auto parsed = deployments::ParseDeploymentStatus(*status);
      if (!parsed) return ErrorAnswer(parsed.error());
      filter.status = *parsed;
    }
    auto limit = ReadNumber(request, "limit", kDefaultLimit, 1, kLargestLimit), cursor = ReadNumber(request, "cursor", 0, 0, INT64_MAX);
    if (!limit) return ErrorAnswer(limit.error());
    if (!cursor) return ErrorAnswer(cursor.error());
    auto page = parts.store.ListDeployments(filter, static_cast<int>(*limit), *cursor);
    if (!page) return ErrorAnswer(page.error());
    return PageAnswer(*page, [&](const Deployment& d) { return ViewOf(d, parts.store.LastRun(d.deployment_id).value_or(std::nullopt)); });
  }

  Result<Deployment> Named(const Request& request) {
    return parts.store.FindDeployment(request.query.at("{model}"), request.query.at("{name}"));
  }

  Response GetOne(const Request& request) {
    auto deployment = Named(request);
    if (!deployment) return ErrorAnswer(deployment.error());
    auto run = parts.store.LastRun(deployment->deployment_id);
    if (!run) return ErrorAnswer(run.error());
    return JsonAnswer(200, ViewOf(*deployment, *run));
  }

  Response Trigger(const Request& request) {
    auto deployment = Named(request);
    if (!deployment) return ErrorAnswer(deployment.error());
    auto logical_date = parts.clock.Now();
    if (!request.body.empty()) {
      auto body = ReadBody(request);
      if (!body) return body.error();
      std::vector<ValidationError> errors;
      auto parsed = Parse(contract::TriggerBody(), *body, {"body"}, errors);
      if (!errors.empty()) return ValidationAnswer(errors);
      if (const auto& date = parsed.at("logical_date"); date.is_string()) {
        auto instant = ParseTimestamp(std::string_view(date.get_string()));
        if (!instant) return ValidationAnswer({contract::ValueError({"logical_date"}, instant.error().message, date)});
        logical_date = *instant;
      }
    }
    if (deployment->status != DeploymentStatus::kActive)
      return ErrorAnswer(409, fmt::format("the deployment is {}, not active", ToString(deployment->status)));
    Run run{.run_id = NewUuid(), .deployment_id = deployment->deployment_id, .logical_date = logical_date};
    if (auto queued = parts.store.CreateRun(run); !queued) return ErrorAnswer(queued.error());
    parts.dispatcher.Wake();
    return JsonAnswer(202, ViewOf(run));
  }

  Response ListRuns(const Request& request) {
    auto deployment = Named(request);
    if (!deployment) return ErrorAnswer(deployment.error());
    auto limit = ReadNumber(request, "limit", kDefaultLimit, 1, kLargestLimit),
         cursor = ReadNumber(request, "cursor", INT64_MAX, 0, INT64_MAX);
    if (!limit) return ErrorAnswer(limit.error());
    if (!cursor) return ErrorAnswer(cursor.error());
    auto page = parts.store.ListRuns(deployment->deployment_id, static_cast<int>(*limit), *cursor);
    if (!page) return ErrorAnswer(page.error());
    return PageAnswer(*page, [](const Run& run) { return ViewOf(run); });
  }

  Response GetRun(const Request& request) {
    auto deployment = Named(request);
    if (!deployment) return ErrorAnswer(deployment.error());
    auto run = parts.store.FindRun(request.query.at("{run_id}"));
    if (!run) return ErrorAnswer(run.error());
    if (run->deployment_id != deployment->deployment_id) return ErrorAnswer(404, fmt::format("no run {}", run->run_id));
    return JsonAnswer(200, ViewOf(*run));
  }

  Response OpenApi(const Request&) { return JsonAnswer(200, openapi); }

  Response Health(const Request&) { return JsonAnswer(200, json::object{{"status", "ok"}}); }

  Response Metrics(const Request&) {
    for (auto status : {RunStatus::kQueued, RunStatus::kRunning}) {
      auto found = parts.store.RunsInStatus(status);
      if (found) runs.Add({{"state", std::string(ToString(status))}}).Set(static_cast<double>(found->size()));
    }
    return {200, prometheus::TextSerializer().Serialize(metrics.Collect()), "text/plain; version=0.0.4", {}};
  }
};

Api::Api(ApiParts parts) : state_(std::make_unique<State>(std::move(parts))) {}
Api::~Api() = default;
Response Api::Answer(const Request& request) { return state_->Answer(request); }

}  // namespace slipway::server
