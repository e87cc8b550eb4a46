#include "deployments/spec.h"

#include <algorithm>

#include "base/json.h"

namespace slipway::deployments {
namespace {

template <typename T>
json::value OrNull(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

/// The contract's body names a model in other words than a job does.
Result<registry::ModelReference> ParseModel(const JsonObject& body, const std::string& name) {
  ASSIGN(auto reference, body.Object("model"));
  registry::ModelReference model{.name = name, .version = {}, .alias = {}};
  ASSIGN(model.version, reference.OptionalString("model_version"));
  ASSIGN(model.alias, reference.OptionalString("model_alias"));
  return model;
}

}  // namespace

bool DeploymentSpec::operator==(const DeploymentSpec& other) const { return ToJson(*this) == ToJson(other); }

scoring::RunLimits LimitsFor(const DeploymentSpec& spec, const scoring::RunLimits& standard) {
  return {.seconds = spec.timeout.value_or(standard.seconds), .memory_mib = standard.memory_mib};
}

int64_t RetryPolicy::PauseAfter(int attempt) const {
  constexpr int64_t kLongest = 3600;
  auto pause = delay_seconds;
  for (int i = 1; i < attempt && pause < kLongest; ++i) pause = std::min(2 * pause, kLongest);
  return pause;
}

RetryPolicy RetriesFor(const DeploymentSpec& spec, const RetryPolicy& standard) {
  return {.retries = spec.retries.value_or(standard.retries),
          .delay_seconds = spec.retry_delay.value_or(standard.delay_seconds)};
}

Result<DeploymentSpec> ParseSpec(const json::value& body, const std::string& model) {
  ASSIGN(auto object, JsonObject::From(body, "deployment"));
  DeploymentSpec spec;
  ASSIGN(spec.owner, object.String("owner"));
  ASSIGN(spec.domain, object.String("domain"));
  if (object.Find("allowed_roles") != nullptr) {
    ASSIGN(const auto* roles, object.Array("allowed_roles"));
    ASSIGN(spec.allowed_roles, JsonStrings(*roles, "deployment.allowed_roles"));
  }
  if (object.Find("runner") != nullptr) {
    ASSIGN(auto runner, object.Object("runner"));
    ASSIGN(auto kind, runner.String("kind"));
    ASSIGN(spec.runner, ParseWord<RunnerKind>(kind));
  }
  ASSIGN(spec.timeout, object.OptionalInt("timeout"));
  ASSIGN(spec.retries, object.OptionalInt("retries"));
  ASSIGN(spec.retry_delay, object.OptionalInt("retry_delay"));
  ASSIGN(auto reference, ParseModel(object, model));
  ASSIGN(spec.batch, scoring::ParseWork(body, std::move(reference)));
  return spec;
}

json::object ToJson(const DeploymentSpec& spec) {
  auto body = ToJson(spec.batch);
  const auto& model = spec.batch.model;
  body["model"] = json::object{
      {"model_name", model.name}, {"model_version", OrNull(model.version)}, {"model_alias", OrNull(model.alias)}};
  body["type"] = "batch";
  body["owner"] = spec.owner;
  body["domain"] = spec.domain;
  body["allowed_roles"] = spec.allowed_roles
                              ? json::value(json::array(spec.allowed_roles->begin(), spec.allowed_roles->end()))
                              : json::value(nullptr);
  body["timeout"] = OrNull(spec.timeout);
  body["retries"] = OrNull(spec.retries);
  body["retry_delay"] = OrNull(spec.retry_delay);
  body["runner"] = spec.runner ? json::value(json::object{{"kind", ToString(*spec.runner)}}) : json::value(nullptr);
  return body;
}

}  // namespace slipway::deployments
