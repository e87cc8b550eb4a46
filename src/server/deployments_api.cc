#include <algorithm>

#include "base/format.h"
#include "base/ids.h"
#include "base/log.h"
#include "dispatch/cron.h"
#include "dispatch/work_of.h"
#include "scoring/plan.h"
#include "server/api_state.h"

namespace slipway::server {
namespace {

using contract::ValidationError;
using deployments::Deployment;
using deployments::DeploymentStatus;
using deployments::DeploymentWithRun;
using deployments::Run;

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

json::object ViewOfBoth(const DeploymentWithRun& both) { return ViewOf(both.deployment, both.last_run); }

Response Changed(const Result<Deployment>& changed, const Call& call) {
  if (!changed) return ErrorAnswer(changed.error());
  return JsonAnswer(200, ViewOf(*changed, call.found->last_run));
}

}  // namespace

Response Api::State::Create(Call& call) {
  std::vector<std::string> ignored;
  auto body = ReadBody(call.request, contract::CreateDeploymentBody(), &ignored);
  if (!body) return body.error();
  auto now = parts.clock.Now();
  const auto& model = call.request.parameters.at("model");
  call.about = std::string(body->at("name").as_string());
  Deployment deployment{.deployment_id = NewUuid(),
                        .model = model,
                        .name = std::string(body->at("name").as_string()),
                        .created_by = call.who.subject,
                        .created_at = now,
                        .updated_at = now};
  if (auto refused = Plan(*body, model, now, deployment)) return *refused;
  parts.dispatcher.Prepare(deployment);
  bool store = !call.query.at("validate_only").as_bool();
  std::optional<Run> run;
  if (store && body->at("trigger_now").as_bool())
    run = Run{.run_id = NewUuid(), .deployment_id = deployment.deployment_id, .logical_date = now, .queued_at = now};
  if (store) {
    auto audit = [&](sql::Session& session) { return AuditLog::Append(session, EntryOf(call, 201)); };
    if (auto created = parts.store.CreateDeployment(deployment, run, audit); !created)
      return ErrorAnswer(created.error());
    call.audited = true;
    Log(LogLevel::kInfo, "deployment_created", {{"deployment", deployment.name}, {"model", model}});
    parts.dispatcher.Wake();
  } else if (parts.store.FindDeployment(model, deployment.name)) {
    return ErrorAnswer(409, fmt::format("model '{}' has a deployment named '{}' already", model, deployment.name));
  }
  auto response = JsonAnswer(store ? 201 : 200, ViewOf(deployment, run));
  std::string names;
  for (const auto& name : ignored)
    if (std::ranges::all_of(name, [](unsigned char c) { return c > 32 && c < 127 && c != ','; }))
      names += (names.empty() ? "" : ", ") + name;
  if (!names.empty()) response.headers["Slipway-Ignored-Fields"] = names;
  return response;
}

std::optional<Response> Api::State::Plan(const json::object& body, const std::string& model, Timestamp now,
                                         Deployment& deployment) {
  std::vector<ValidationError> errors;
  std::string missing;
  deployment.body = body;
  deployment.schedule.reset();
  deployment.next_tick.reset();
  if (const auto& schedule = body.at("schedule"); schedule.is_string()) {
    deployment.schedule = std::string(schedule.get_string());
    auto cron = dispatch::Cron::Parse(*deployment.schedule);
    if (cron)
      deployment.next_tick = cron->Next(now, parts.zone);
    else
      errors.push_back(contract::ValueError({"schedule"}, cron.error().message, schedule));
  }
  auto work = dispatch::WorkOf(body, model);
  if (!work) return ErrorAnswer(work.error());
  auto plan = scoring::MakePlan(*work, parts.sources, now, parts.clock);
  if (plan) {
    deployment.resolved_model_version = plan->model_version.version;
  } else {
    for (const auto& problem : plan.error()) {
      if (problem.kind == ErrorKind::kUnavailable || problem.kind == ErrorKind::kIo ||
          problem.kind == ErrorKind::kInternal)
        return ErrorAnswer(
            {problem.kind == ErrorKind::kInternal ? ErrorKind::kInternal : ErrorKind::kUnavailable, problem.message});
      if (problem.kind == ErrorKind::kNotFound)
        missing += (missing.empty() ? "" : "; ") + problem.message;
      else
        errors.push_back(contract::ValueError(problem.loc, problem.message, At(body, problem.loc)));
    }
  }
  if (!missing.empty()) return ErrorAnswer(404, missing);
  if (!errors.empty()) return ValidationAnswer(errors);
  return std::nullopt;
}

Response Api::State::List(Call& call) {
  auto window = ReadPage(call.query);
  deployments::DeploymentFilter filter{.owner = QueryText(call.query, "owner"),
                                       .domain = QueryText(call.query, "domain")};
  if (auto model = call.request.parameters.find("model"); model != call.request.parameters.end())
    filter.model = model->second;
  if (auto status = QueryText(call.query, "status")) filter.status = *deployments::ParseDeploymentStatus(*status);
  if (call.who.kind == auth::Identity::Kind::kUserKey) filter.roles = call.who.roles;
  auto page = parts.store.ListDeployments(filter, window.limit, window.cursor);
  if (!page) return ErrorAnswer(page.error());
  return PageAnswer(*page, ViewOfBoth);
}

Response Api::State::GetOne(Call& call) { return JsonAnswer(200, ViewOfBoth(*call.found)); }

Response Api::State::Patch(Call& call) {
  std::vector<std::string> ignored;
  auto patch = ReadBody(call.request, contract::PatchBody(), &ignored);
  if (!patch) return patch.error();
  auto merged = [&](json::object body) {
    for (const auto& [key, value] : *patch) {
      if (key == "filter_sql" || key == "snapshot_id")
        body["source"].as_object()[key] = value;
      else if (key != "model_version" && key != "model_alias")
        body[key] = value;
    }
    if (patch->contains("model_version") || patch->contains("model_alias"))
      for (const char* name : {"model_version", "model_alias"})
        body["model"].as_object()[name] = patch->contains(name) ? patch->at(name) : json::value(nullptr);
    return body;
  };
  auto now = parts.clock.Now();
  auto planned = call.deployment();
  if (auto refused = Plan(merged(planned.body), planned.model, now, planned)) return *refused;
  auto changed = parts.store.ChangeDeployment(call.deployment().deployment_id, [&](Deployment& stored) -> Result<> {
    if (stored.updated_at != call.deployment().updated_at)
      return Fail(ErrorKind::kConflict,
                  "the deployment was changed by somebody else in the meantime: look at it again");
    bool tick_stays = stored.schedule == planned.schedule;
    auto tick = stored.next_tick;
    stored.body = planned.body;
    stored.schedule = planned.schedule;
    stored.next_tick = tick_stays ? tick : planned.next_tick;
    stored.resolved_model_version = planned.resolved_model_version;
    stored.updated_at = std::max(now, stored.updated_at + std::chrono::microseconds{1});
    if (stored.status != DeploymentStatus::kStopped) parts.dispatcher.Prepare(stored);
    return {};
  });
  parts.dispatcher.Wake();
  return Changed(changed, call);
}

Response Api::State::SetRoles(Call& call) {
  auto body = ReadBody(call.request, contract::AllowedRolesBody());
  if (!body) return body.error();
  auto changed = parts.store.ChangeDeployment(call.deployment().deployment_id, [&](Deployment& stored) -> Result<> {
    stored.body["allowed_roles"] = body->at("allowed_roles");
    stored.updated_at = std::max(parts.clock.Now(), stored.updated_at + std::chrono::microseconds{1});
    return {};
  });
  return Changed(changed, call);
}

Result<> Api::State::EndRuns(const Deployment& deployment, const std::string& why, const auth::Identity& who,
                             bool running) {
  std::optional<int64_t> cursor;
  do {
    ASSIGN(auto page, parts.store.ListRuns(deployment.deployment_id, 500, cursor));
    auto meant = [&](const Run& run) {
      return run.status == deployments::RunStatus::kQueued ||
             (running && run.status == deployments::RunStatus::kRunning);
    };
    for (const auto& run : page.items) {
      if (!meant(run)) continue;
      auto ended = parts.store.ChangeRun(run.run_id, [&](Run& stored) -> Result<> {
        if (!meant(stored)) return {};  // it has begun since
        stored.cancelled_by = who.username;
        if (parts.dispatcher.Ends(stored)) return {};
        stored.status = deployments::RunStatus::kFailed;
        stored.error_message = why;
        stored.finished_at = parts.clock.Now();
        return {};
      });
      if (!ended && ended.error().kind != ErrorKind::kConflict) return Failure(ended.error());
    }
    cursor = page.next;
  } while (cursor);
  parts.dispatcher.Wake();
  return {};
}

Response Api::State::Stop(Call& call) {
  auto changed = parts.store.ChangeDeployment(call.deployment().deployment_id, [&](Deployment& stored) -> Result<> {
    if (stored.status == DeploymentStatus::kStopped) return {};
    auto now = std::max(parts.clock.Now(), stored.updated_at + std::chrono::microseconds{1});
    stored.status = DeploymentStatus::kStopped;
    stored.stopped_at = stored.updated_at = now;
    return {};
  });
  if (changed)
    if (auto ended = EndRuns(*changed, "the deployment was stopped before the run began", call.who, false); !ended)
      return ErrorAnswer(ended.error());
  return Changed(changed, call);
}

Response Api::State::StartAgain(Call& call) {
  auto changed = parts.store.ChangeDeployment(call.deployment().deployment_id, [&](Deployment& stored) -> Result<> {
    if (stored.status != DeploymentStatus::kStopped && stored.status != DeploymentStatus::kFailed) return {};
    auto now = std::max(parts.clock.Now(), stored.updated_at + std::chrono::microseconds{1});
    stored.status = DeploymentStatus::kActive;
    stored.stopped_at.reset();
    stored.error_message.reset();
    stored.updated_at = now;
    if (stored.schedule) {
      ASSIGN(auto cron, dispatch::Cron::Parse(*stored.schedule));
      stored.next_tick = cron.Next(now, parts.zone);  // ticks while it was stopped are not missed ones
    }
    parts.dispatcher.Prepare(stored);
    return {};
  });
  parts.dispatcher.Wake();
  return Changed(changed, call);
}

Response Api::State::Archive(Call& call) {
  auto changed = parts.store.ChangeDeployment(call.deployment().deployment_id, [&](Deployment& stored) -> Result<> {
    stored.status = DeploymentStatus::kArchived;
    stored.updated_at = std::max(parts.clock.Now(), stored.updated_at + std::chrono::microseconds{1});
    return {};
  });
  if (changed)
    if (auto ended = EndRuns(*changed, "the deployment was archived", call.who, true); !ended)
      return ErrorAnswer(ended.error());
  return Changed(changed, call);
}

}  // namespace slipway::server
