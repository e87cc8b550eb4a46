#include "server/api.h"

#include <algorithm>

#include "base/format.h"
#include "base/log.h"
#include "deployments/subjects.h"
#include "http/target.h"
#include "scoring/plan.h"
#include "server/api_state.h"

namespace slipway::server {
namespace {

using auth::Permission;
using auth::Verdict;

Response Unauthenticated(std::string_view why, bool tried) {
  auto response = ErrorAnswer(401, why);
  // RFC 6750, section 3: no error code where no credentials were sent.
  response.headers["WWW-Authenticate"] =
      tried ? R"(Bearer realm="slipway", error="invalid_token")" : R"(Bearer realm="slipway")";
  return response;
}

/// Names that may stand in a header; others are left out.
std::string Listed(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names)
    if (std::ranges::all_of(name, [](unsigned char c) { return c > 32 && c < 127 && c != ','; }))
      text += (text.empty() ? "" : ", ") + name;
  return text;
}

/// Why an answer refused, for the audit log.
std::optional<std::string> DetailOf(const Response& response) {
  if (response.status < 400) return std::nullopt;
  return response.body.substr(0, 500);
}

std::optional<std::string> Parameter(const Request& request, const char* name) {
  auto found = request.parameters.find(name);
  return found == request.parameters.end() ? std::nullopt : std::optional(found->second);
}

/// The trace id of a W3C Trace Context header, 00-<32 digits>-…; empty where there is none.
std::string_view TraceId(std::string_view traceparent) {
  auto digit = [](unsigned char c) { return std::isdigit(c) || (c >= 'a' && c <= 'f'); };
  if (traceparent.size() < 55 || traceparent[2] != '-' || traceparent[35] != '-') return {};
  auto id = traceparent.substr(3, 32);
  return std::ranges::all_of(id, digit) ? id : std::string_view{};
}

const std::vector<double> kLatencyBuckets = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};

}  // namespace

auth::Guarded GuardedOf(const deployments::Deployment& deployment) {
  const auto& roles = deployment.spec.allowed_roles;
  return {deployments::CreatorOf(deployment),
          roles ? std::set<std::string>(roles->begin(), roles->end()) : std::set<std::string>(),
          deployment.deployment_id};
}

Api::State::State(ApiParts given)
    : parts(std::move(given)),
      routes(Routes()),
      metrics(parts.metrics),
      lifecycle({parts.store, parts.clock, parts.zone, parts.runners, parts.plan,
                 [this](const auto& run, const auto& seconds) { CountRun(metrics, run, seconds); },
                 [this](const auto& deployment) { return parts.rights.RequireOf(deployment); }}) {
  std::vector<Operation> operations;
  for (const auto& route : routes) operations.push_back(route.operation);
  openapi = OpenApiDocument(operations, parts.login);
}

/// The route that fits, with the path's parts as the request's parameters; else the answer.
std::expected<const Api::State::Route*, Response> Api::State::Find(Request& request) const {
  std::string allowed;
  for (const auto& candidate : routes) {
    auto named = http::Fit(candidate.operation.path, request.path);
    if (!named) continue;
    if (candidate.operation.method == request.method) {
      request.parameters = std::move(*named);
      return &candidate;
    }
    allowed += (allowed.empty() ? "" : ", ") + candidate.operation.method;
  }
  if (auto file = DocsFile(request)) return std::unexpected(std::move(*file));
  if (allowed.empty()) return std::unexpected(ErrorAnswer(404, "Not Found"));
  auto response = ErrorAnswer(405, "Method Not Allowed");
  response.headers["Allow"] = allowed;
  return std::unexpected(std::move(response));
}

Response Api::State::LetIn(const Route& route, Call& call) {
  const auto& request = call.request;
  if (route.permission != Permission::kAnyone) {
    auto who = parts.authenticator.Identify({request.Find("authorization"), request.Find("authorization-psk")});
    if (!who)
      return who.error().kind == ErrorKind::kDenied ? Unauthenticated(who.error().message, true)
                                                    : ErrorAnswer(who.error());
    call.who = std::move(*who);
  }
  std::optional<auth::Guarded> guarded;
  if (request.parameters.contains("name") && call.who.kind != auth::Identity::Kind::kNobody) {
    call.about = request.parameters.at("name");
    auto found = parts.store.FindDeployment(request.parameters.at("model"), *call.about);
    if (!found) return ErrorAnswer(found.error());
    call.found = std::move(*found);
    guarded = GuardedOf(call.found->deployment);
  }
  if (auto model = Parameter(request, "model"); model && !call.who.Covers(*model))
    return ErrorAnswer(403, fmt::format("this key of a service account does not reach the model '{}'", *model));
  switch (auth::Decide(route.permission, call.who, guarded ? &*guarded : nullptr)) {
    case Verdict::kUnauthenticated:
      return Unauthenticated(
          "Credentials are missing: send a token or the platform PSK as a bearer, or a key in Authorization-PSK",
          false);
    case Verdict::kForbidden: return ErrorAnswer(403, WhyForbidden(route.permission, call.who));
    case Verdict::kAllowed: break;
  }
  auto query = ReadQuery(request, route.operation.query, &call.ignored);
  if (!query) return query.error();
  call.query = std::move(*query);
  return (this->*route.handler)(call);
}

Response Api::State::Answer(Request request) {
  double started = MonotonicSeconds();
  auto route = Find(request);
  if (!route) return route.error();
  Call call{request, {}, std::nullopt, {}, std::nullopt, (*route)->operation.method + " " + (*route)->operation.path};
  call.ignored.refused = WantsStrict(request);
  auto response = LetIn(**route, call);
  if (auto names = Listed(call.ignored.names); response.status < 300 && !names.empty())
    response.headers["Slipway-Ignored-Fields"] = names;
  if (call.ignored.refused) response.headers["Preference-Applied"] = "handling=strict";
  const auto& operation = (*route)->operation;
  metrics.requests
      .Add({{"method", request.method}, {"route", operation.path}, {"status", std::to_string(response.status)}})
      .Increment();
  metrics.request_seconds.Add({{"method", request.method}, {"route", operation.path}}, kLatencyBuckets)
      .Observe(MonotonicSeconds() - started);
  if (response.status >= 400) call.audited = false;  // what it told of did not happen; that it was tried is told below
  bool known = call.who.kind != auth::Identity::Kind::kNobody, change = request.method != "GET" && known;
  if (change && !call.audited) {
    auto entry = EntryOf(call, response.status);
    if (auto why = DetailOf(response)) entry.detail = std::move(why);
    if (auto written = parts.audit.Append(entry); !written)
      Log(LogLevel::kError, "audit_not_written",
          {{"request_id", request.request_id}, {"error", written.error().message}});
  }
  bool failed = response.status >= 500 || response.status == 401 || response.status == 403;
  if (parts.log_requests == LogRequests::kAll || (parts.log_requests == LogRequests::kChanges && (change || failed)))
    Log(response.status >= 500 ? LogLevel::kError : LogLevel::kInfo, "request",
        {{"request_id", request.request_id},
         {"trace", std::string(TraceId(request.Header("traceparent")))},
         {"action", call.action},
         {"model", Parameter(request, "model").value_or("")},
         {"deployment", call.about.value_or("")},
         {"actor", call.who.subject},
         {"remote", request.remote},
         {"status", std::to_string(response.status)},
         {"seconds", fmt::format("{:.4f}", MonotonicSeconds() - started)}});
  return response;
}

AuditEntry Api::State::EntryOf(const Call& call, int status) const {
  return {parts.clock.Now(),
          call.who.subject,
          ToString(call.who.kind),
          call.action,
          Parameter(call.request, "model"),
          call.about,
          status,
          call.note,
          call.request.remote,
          call.request.request_id};
}

Database::Work Api::State::AuditedAs(Call& call, int status) const {
  call.audited = true;
  return [this, &call, status](sql::Session& session) { return AuditLog::Append(session, EntryOf(call, status)); };
}

Api::Api(ApiParts parts) : state_(std::make_unique<State>(std::move(parts))) {}
Api::~Api() = default;
Response Api::Answer(const Request& request) { return state_->Answer(request); }

}  // namespace slipway::server
