#include "server/api.h"

#include <algorithm>
#include <boost/asio/awaitable.hpp>

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

/// What is answered on the I/O thread, whatever the others wait for.
bool IsProbe(const Request& request) {
  static constexpr std::string_view kProbes[] = {"healthz", "readyz", "metrics"};
  return request.method == "GET" && request.path.size() == 1 &&
         std::ranges::find(kProbes, request.path.front()) != std::end(kProbes);
}

std::string CredentialOf(const Request& request) {
  return std::string(request.Header("authorization")) + '\n' + std::string(request.Header("authorization-psk"));
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
                 [this](const auto& deployment) { return parts.rights.RequireOf(deployment); }}),
      rate_limits(parts.requests_per_minute),
      turns(parts.in_hand, parts.waiting) {
  std::vector<Operation> operations;
  for (const auto& route : routes) operations.push_back(route.operation);
  openapi = OpenApiDocument(operations, parts.login);
}

/// Finds the route that fits, with the path's parts as the request's parameters; else the answer.
std::optional<Response> Api::State::Find(Call& call) const {
  auto& request = call.request;
  std::string allowed;
  for (const auto& candidate : routes) {
    auto named = http::Fit(candidate.operation.path, request.path);
    if (!named) continue;
    if (candidate.operation.method == request.method) {
      request.parameters = std::move(*named);
      call.route = &candidate;
      call.action = candidate.operation.method + " " + candidate.operation.path;
      return std::nullopt;
    }
    allowed += (allowed.empty() ? "" : ", ") + candidate.operation.method;
  }
  if (auto file = DocsFile(request)) return file;
  if (allowed.empty()) return ErrorAnswer(404, "Not Found");
  auto response = ErrorAnswer(405, "Method Not Allowed");
  response.headers["Allow"] = allowed;
  return response;
}

std::optional<Response> Api::State::Admit(Call& call) {
  call.started = MonotonicSeconds();
  call.ignored.refused = WantsStrict(call.request);
  if (auto refused = Find(call)) return refused;
  return LetIn(call);
}

std::optional<Response> Api::State::LetIn(Call& call) {
  const auto& request = call.request;
  const auto& route = *call.route;
  if (route.permission != Permission::kAnyone) {
    auto who = parts.authenticator.Identify({request.Find("authorization"), request.Find("authorization-psk")});
    if (!who)
      return who.error().kind == ErrorKind::kDenied ? Unauthenticated(who.error().message, true)
                                                    : ErrorAnswer(who.error());
    call.who = std::move(*who);
  }
  using Kind = auth::Identity::Kind;
  bool person = call.who.kind == Kind::kToken || call.who.kind == Kind::kUserKey || call.who.kind == Kind::kServiceKey;
  if (person && !rate_limits.Admit(call.who.subject, MonotonicSeconds()))
    return http::TryLater(429, "You ask too often: server.requests_per_minute says how often each person may");
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
  return std::nullopt;
}

Response Api::State::Conclude(Call& call, Response response) {
  if (call.route == nullptr) return response;
  const auto& request = call.request;
  if (auto names = Listed(call.ignored.names); response.status < 300 && !names.empty())
    response.headers["Slipway-Ignored-Fields"] = names;
  if (call.ignored.refused) response.headers["Preference-Applied"] = "handling=strict";
  const auto& operation = call.route->operation;
  metrics.requests
      .Add({{"method", request.method}, {"route", operation.path}, {"status", std::to_string(response.status)}})
      .Increment();
  metrics.request_seconds.Add({{"method", request.method}, {"route", operation.path}}, kLatencyBuckets)
      .Observe(MonotonicSeconds() - call.started);
  bool known = call.who.kind != auth::Identity::Kind::kNobody, change = request.method != "GET" && known;
  // What was not even looked at (429) is no news, and would cost what the refusal saves.
  if (change && response.status != 429 && !(call.audited && response.status < 300)) {
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
         {"seconds", fmt::format("{:.4f}", MonotonicSeconds() - call.started)}});
  if (response.status == 500) {
    // What failed may name files, statements and values: that is for the log.
    Log(LogLevel::kError, "request_failed", {{"request_id", request.request_id}, {"answer", response.body}});
    response =
        ErrorAnswer(500, fmt::format("the server failed; its log tells why, at request_id {}", request.request_id));
  }
  return response;
}

Database::Work Api::State::AuditedAs(Call& call, int status) const {
  return [this, &call, status](sql::Session& session) -> Result<> {
    TRY(AuditLog::Append(session, EntryOf(call, status)));
    call.audited = true;
    return {};
  };
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

http::Awaitable<Response> Api::State::InTurn(http::Exchange& exchange, std::function<Response()> work) {
  auto turn = co_await turns.Take(CredentialOf(exchange.request));
  if (turn == nullptr) co_return http::TryLater(429, "Too many of your requests wait already");
  // The work has it, which may go on when the answer was given up.
  std::function<Response()> in_turn = [turn, work = std::move(work)] { return work(); };
  turn = nullptr;
  co_return co_await exchange.OnThread(std::move(in_turn));
}

Api::Api(ApiParts parts) : state_(std::make_unique<State>(std::move(parts))) {}
Api::~Api() = default;

http::Awaitable<Response> Api::Answer(http::Exchange& exchange) {
  auto* state = state_.get();
  auto call = std::make_shared<Call>();
  call->request = exchange.request;
  call->request.remote = state->parts.proxies.ClientOf(call->request.remote, call->request.Header("x-forwarded-for"));
  auto admit_and_answer = [state, call] {
    auto refused = state->Admit(*call);
    return state->Conclude(*call, refused ? std::move(*refused) : state->Handle(*call));
  };
  if (IsProbe(exchange.request)) co_return admit_and_answer();
  std::function<Response()> work = admit_and_answer;
  if (exchange.HasBody()) {
    constexpr int kLetIn = 0;  // no status of an answer
    std::function<Response()> admit = [state, call] {
      auto refused = state->Admit(*call);
      return refused ? state->Conclude(*call, std::move(*refused)) : Response{.status = kLetIn};
    };
    auto refused = co_await state->InTurn(exchange, std::move(admit));
    if (refused.status != kLetIn) co_return refused;
    auto body = co_await exchange.ReadBody();
    if (!body) co_return std::move(body.error());
    call->request.body = std::move(*body);
    work = [state, call] { return state->Conclude(*call, state->Handle(*call)); };
  }
  co_return co_await state->InTurn(exchange, std::move(work));
}

}  // namespace slipway::server
