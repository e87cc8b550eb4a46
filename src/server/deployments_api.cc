#include "auth/platform_keys.h"
#include "base/log.h"
#include "deployments/views.h"
#include "server/api_state.h"

namespace slipway::server {

using deployments::Deployment;
using deployments::DeploymentWithRun;

namespace {

/// Problems of a deployment as a PATCH would have it, at the fields of that PATCH where they stand there.
Response Refused(deployments::Refusal refusal, const json::object& patch, const Deployment& deployment) {
  auto body = ToJson(deployment.spec);
  for (const auto& [name, value] : patch) body[name] = value;
  for (auto& problem : refusal.problems)
    if (!problem.loc.empty() && patch.contains(problem.loc.back())) problem.loc = {problem.loc.back()};
  return RefusalAnswer(refusal, body);
}

}  // namespace

json::object Api::State::Show(const DeploymentWithRun& both) const {
  return deployments::ViewOf(both.deployment, both.last_run, lifecycle.runners().standard, lifecycle.zone());
}

Response Api::State::Answer(const Result<Deployment>& changed, const Call& call) const {
  if (!changed) return ErrorAnswer(changed.error());
  return JsonAnswer(200, Show({*changed, call.found->last_run}));
}

Result<> Api::State::MayTouch(const Call& call, const scoring::Work& work) const {
  TRY(parts.rights.Require(call.who, work));
  auto token = call.who.kind == auth::Identity::Kind::kToken ? auth::BearerIn(call.request.Header("authorization"))
                                                             : std::string_view();
  return parts.as_caller.Check(call.who, token, work);
}

Response Api::State::Create(Call& call) {
  auto body = ReadBody(call.request, contract::CreateDeploymentBody(), &call.ignored);
  if (!body) return body.error();
  auto request = deployments::ParseNewDeployment(*body, call.request.parameters.at("model"));
  if (!request) return ErrorAnswer(request.error());
  call.about = request->name;
  // Before any look at tables and models: who may not touch them learns nothing of them.
  if (auto may = MayTouch(call, request->spec.batch); !may) return ErrorAnswer(may.error());
  bool validate_only = call.query.at("validate_only").as_bool();
  auto made = lifecycle.Create(*request, call.person(), validate_only, AuditedAs(call, 201));
  if (!made) return RefusalAnswer(made.error(), *body);
  if (validate_only) return JsonAnswer(200, Show(*made));
  Log(LogLevel::kInfo, "deployment_created", {{"deployment", request->name}, {"model", request->model}});
  return JsonAnswer(201, Show(*made));
}

Response Api::State::List(Call& call) {
  auto window = ReadPage(call.query);
  deployments::DeploymentFilter filter{.owner = QueryText(call.query, "owner"),
                                       .domain = QueryText(call.query, "domain")};
  if (auto model = call.request.parameters.find("model"); model != call.request.parameters.end())
    filter.model = model->second;
  if (auto status = QueryText(call.query, "status")) filter.status = *deployments::ParseDeploymentStatus(*status);
  if (call.who.kind == auth::Identity::Kind::kUserKey) filter.roles = call.who.roles;
  if (call.who.scope) filter.models = call.who.scope->models;
  auto page = parts.store.ListDeployments(filter, window.limit, window.cursor);
  if (!page) return ErrorAnswer(page.error());
  return PageAnswer(*page, [&](const DeploymentWithRun& both) { return Show(both); });
}

Response Api::State::GetOne(Call& call) { return JsonAnswer(200, Show(*call.found)); }

Response Api::State::Patch(Call& call) {
  auto patch = ReadBody(call.request, deployments::PatchBody(), &call.ignored);
  if (!patch) return patch.error();
  if (auto may = call.deployment().damage ? Result<>() : MayTouch(call, call.deployment().spec.batch); !may)
    return ErrorAnswer(may.error());
  auto changed =
      lifecycle.Change(call.deployment(), deployments::ParseChange(*patch), call.person(), AuditedAs(call, 200));
  return changed ? Answer(*changed, call) : Refused(changed.error(), *patch, call.deployment());
}

Response Api::State::SetRoles(Call& call) {
  auto body = ReadBody(call.request, contract::AllowedRolesBody(), &call.ignored);
  if (!body) return body.error();
  return Answer(lifecycle.SetRoles(call.deployment(), deployments::ParseRoles(*body), AuditedAs(call, 200)), call);
}

Response Api::State::Stop(Call& call) {
  return Answer(lifecycle.Stop(call.deployment(), call.person(), AuditedAs(call, 200)), call);
}

Response Api::State::StartAgain(Call& call) {
  return Answer(lifecycle.Start(call.deployment(), AuditedAs(call, 200)), call);
}

Response Api::State::Archive(Call& call) {
  return Answer(lifecycle.Archive(call.deployment(), call.person(), AuditedAs(call, 200)), call);
}

}  // namespace slipway::server
