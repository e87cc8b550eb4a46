#include "base/format.h"
#include "deployments/views.h"
#include "server/api_state.h"

namespace slipway::server {
namespace {

using deployments::Run;

Response RunAnswer(const Result<Run>& run, int status) {
  return run ? JsonAnswer(status, deployments::ViewOf(*run)) : ErrorAnswer(run.error());
}

/// The run that a path names, if it is the deployment's.
Result<Run> RunOf(deployments::Store& store, const Call& call) {
  ASSIGN(auto run, store.FindRun(call.request.parameters.at("run_id")));
  if (run.deployment_id != call.deployment().deployment_id) return Fail(ErrorKind::kNotFound, "no run {}", run.run_id);
  return run;
}

}  // namespace

Response Api::State::Trigger(Call& call) {
  std::optional<Timestamp> logical_date;
  if (!call.request.body.empty()) {
    auto body = ReadBody(call.request, contract::TriggerBody(), &call.ignored);
    if (!body) return body.error();
    auto asked = deployments::ParseLogicalDate(*body);
    if (!asked) return RefusalAnswer(asked.error(), *body);
    logical_date = *asked;
  }
  return RunAnswer(lifecycle.Trigger(call.deployment(), logical_date, AuditedAs(call, 202)), 202);
}

Response Api::State::Backfill(Call& call) {
  auto body = ReadBody(call.request, contract::BackfillBody(), &call.ignored);
  if (!body) return body.error();
  auto span = deployments::ParseSpan(*body, lifecycle.zone());
  if (!span) return RefusalAnswer(span.error(), *body);
  bool dry_run = call.query.at("dry_run").as_bool();
  auto runs = dry_run ? lifecycle.TicksToFill(call.deployment(), *span)
                      : lifecycle.Backfill(call.deployment(), *span, AuditedAs(call, 202));
  if (!runs) return RefusalAnswer(runs.error(), *body);
  json::array items;
  for (const auto& run : *runs) items.push_back(deployments::ViewOf(run));
  return JsonAnswer(dry_run ? 200 : 202, json::object{{"items", std::move(items)}, {"next_cursor", nullptr}});
}

Response Api::State::ListRuns(Call& call) {
  auto window = ReadPage(call.query);
  auto page = parts.store.ListRuns(call.deployment().deployment_id, window.limit, window.cursor);
  if (!page) return ErrorAnswer(page.error());
  return PageAnswer(*page, [](const Run& run) { return deployments::ViewOf(run); });
}

Response Api::State::GetRun(Call& call) { return RunAnswer(RunOf(parts.store, call), 200); }

Response Api::State::GetLog(Call& call) {
  auto run = RunOf(parts.store, call);
  if (!run) return ErrorAnswer(run.error());
  auto log = parts.store.FindLog(run->run_id);
  if (!log) return ErrorAnswer(log.error());
  auto text = log->From(call.query.at("after").as_int64());
  return JsonAnswer(
      200, json::object{{"text", text}, {"start", log->end - static_cast<int64_t>(text.size())}, {"end", log->end}});
}

Response Api::State::Cancel(Call& call) {
  return RunAnswer(
      lifecycle.Cancel(call.deployment(), call.request.parameters.at("run_id"), call.person(), AuditedAs(call, 202)),
      202);
}

Response Api::State::Callback(Call& call) {
  auto body = ReadBody(call.request, contract::CallbackBody(), &call.ignored);
  if (!body) return body.error();
  auto report = deployments::ParseReport(*body);
  if (!report) return RefusalAnswer(report.error(), *body);
  if (call.who.run && !deployments::IsAbout(*report, call.who.run->run_id))
    return ErrorAnswer(403, fmt::format("this token is for run {}: it cannot tell of another", call.who.run->run_id));
  return RunAnswer(lifecycle.Report(call.deployment(), *report, AuditedAs(call, 200)), 200);
}

Response Api::State::Proxy(Call&) {
  return ErrorAnswer(409, "a batch deployment answers no requests: trigger a run instead");
}

}  // namespace slipway::server
