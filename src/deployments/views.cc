#include "deployments/views.h"

#include <algorithm>

#include "base/json.h"
#include "contract/deployment_body.h"
#include "deployments/rows.h"
#include "deployments/window.h"

namespace slipway::deployments {
namespace {

using Kind = contract::TypeDescription::Kind;

contract::FieldDescription FieldOf(const char* name, contract::TypeDescription type, const char* text) {
  bool nullable = type.nullable;
  return {name, std::move(type), nullable ? std::optional<json::value>(nullptr) : std::nullopt, text};
}

template <typename Record, size_t N>
void DescribeColumns(const std::array<Column<Record>, N>& columns, std::vector<contract::FieldDescription>& fields) {
  for (const auto& column : columns)
    if (column.text != nullptr) fields.push_back(FieldOf(column.name, column.describe(), column.text));
}

template <typename Record, size_t N>
json::object ShowColumns(const std::array<Column<Record>, N>& columns, const Record& record) {
  json::object view;
  for (const auto& column : columns)
    if (column.text != nullptr) view.emplace(column.name, column.show(record));
  return view;
}

struct Shown {
  const Deployment& deployment;
  const std::optional<Run>& last_run;
  RunnerKind standard;
  const date::time_zone* zone;
  json::object body;  ///< of the spec, as it is stored; empty where it is damaged

  json::value Take(const char* name) {
    auto* found = body.if_contains(name);
    return found == nullptr ? json::value(nullptr) : std::move(*found);
  }
};

/// A field of the view that is not a column.
struct ShownField {
  const char* name;
  contract::TypeDescription type;
  const char* text;
  json::value (*show)(Shown& shown);
};

const std::vector<ShownField>& SpecFields() {
  static const std::vector<ShownField> kFields = {
      {"type",
       {.kind = Kind::kLiteral, .literals = {"batch", "online"}},
       "",
       [](Shown&) -> json::value { return "batch"; }},
      {"owner", {}, "", [](Shown& s) -> json::value { return json::string(s.deployment.spec.owner); }},
      {"domain", {}, "", [](Shown& s) -> json::value { return json::string(s.deployment.spec.domain); }},
      {"allowed_roles",
       {.kind = Kind::kStringList, .nullable = true},
       "null or empty means platform PSK only",
       [](Shown& s) { return s.Take("allowed_roles"); }},
      {"model_version",
       {.nullable = true},
       "the fixed version, where there is one",
       [](Shown& s) { return ShowMember(s.deployment.spec.batch.model.version); }},
      {"model_alias",
       {.nullable = true},
       "the alias that is looked up when a run starts",
       [](Shown& s) { return ShowMember(s.deployment.spec.batch.model.alias); }},
      {"source",
       {.kind = Kind::kObject, .nullable = true, .object = &contract::SourceBody()},
       "what is scored",
       [](Shown& s) { return s.Take("source"); }},
      {"target",
       {.kind = Kind::kObject, .nullable = true, .object = &contract::TargetBody()},
       "where the predictions go",
       [](Shown& s) { return s.Take("target"); }},
      {"entity_columns",
       {.kind = Kind::kStringList, .nullable = true},
       "source columns that the predictions carry",
       [](Shown& s) { return s.Take("entity_columns"); }},
      {"rerun_behavior",
       {.kind = Kind::kLiteral, .nullable = true, .literals = {"overwrite_partition", "append_dedup"}},
       "",
       [](Shown& s) { return s.Take("rerun_behavior"); }},
      {"partition_column",
       {.nullable = true},
       "whose values, or day, a rerun replaces",
       [](Shown& s) { return s.Take("partition_column"); }},
      {"replaces",
       {.nullable = true},
       "in one sentence: what a run will replace, by what was seen of the target when the deployment was last created, "
       "changed or started",
       [](Shown& s) -> json::value {
         if (s.deployment.damage) return nullptr;
         return json::string(ReplacesText(s.deployment, s.zone));
       }},
      {"timeout", contract::TimeoutType(), contract::kTimeoutText,
       [](Shown& s) { return ShowMember(s.deployment.spec.timeout); }},
      {"retries", contract::RetriesType(), contract::kRetriesText,
       [](Shown& s) { return ShowMember(s.deployment.spec.retries); }},
      {"retry_delay", contract::RetryDelayType(), contract::kRetryDelayText,
       [](Shown& s) { return ShowMember(s.deployment.spec.retry_delay); }},
      {"runner",
       {.kind = Kind::kObject, .object = &contract::RunnerBody()},
       "what executes its runs",
       [](Shown& s) -> json::value {
         return json::object{{"kind", ToString(s.deployment.spec.runner.value_or(s.standard))}};
       }},
      {"last_run",
       {.kind = Kind::kObject, .nullable = true, .object = &RunView()},
       "",
       [](Shown& s) { return s.last_run ? json::value(ViewOf(*s.last_run)) : json::value(nullptr); }},
      {"dag_s3_uri",
       {.nullable = true},
       "the DAG's file, where it is in S3",
       [](Shown& s) {
         const auto& location = s.deployment.dag_location;
         return location && location->starts_with("s3") ? json::value(*location) : json::value(nullptr);
       }},
      {"service_url", {.nullable = true}, "of an online deployment", [](Shown&) -> json::value { return {}; }},
      {"replica_count",
       {.kind = Kind::kInteger, .nullable = true},
       "of an online deployment",
       [](Shown&) -> json::value { return {}; }},
      {"ready_replicas",
       {.kind = Kind::kInteger, .nullable = true},
       "of an online deployment",
       [](Shown&) -> json::value { return {}; }},
  };
  return kFields;
}

}  // namespace

const contract::ObjectDescription& RunView() {
  static const contract::ObjectDescription kView = [] {
    contract::ObjectDescription view{"Run", {}, {}, {}};
    DescribeColumns(kRunColumns, view.fields);
    return view;
  }();
  return kView;
}

const contract::ObjectDescription& DeploymentView() {
  static const contract::ObjectDescription kView = [] {
    contract::ObjectDescription view{"Deployment", {}, {}, {}};
    DescribeColumns(kDeploymentColumns, view.fields);
    for (const auto& field : SpecFields()) view.fields.push_back(FieldOf(field.name, field.type, field.text));
    return view;
  }();
  return kView;
}

const contract::ObjectDescription& PatchBody() {
  static const contract::ObjectDescription kBody = [] {
    auto body = contract::PatchBody();
    auto has = [&](const std::string& name) {
      return std::ranges::any_of(body.fields, [&](const auto& field) { return field.name == name; }) ||
             std::ranges::any_of(body.refused, [&](const auto& refused) { return refused.first == name; });
    };
    auto refuse = [&](const std::string& name, std::string_view otherwise) {
      if (has(name)) return;
      auto why = name == "allowed_roles" ? "is changed by PUT .../allowed_roles"
                 : name == "status"      ? "is changed by POST .../stop and POST .../start"
                 : name == "source" ? "cannot be changed: of it, filter_sql and snapshot_id can, as fields of the body"
                 : name == "model"
                     ? "cannot be changed: of it, model_version and model_alias can, as fields of the body"
                     : otherwise;
      body.refused.emplace_back(name, why);
    };
    for (const auto& field : contract::CreateDeploymentBody().fields)
      refuse(field.name, "cannot be changed: create another deployment");
    for (const auto& field : DeploymentView().fields) refuse(field.name, "cannot be set");
    return body;
  }();
  return kBody;
}

json::object ViewOf(const Run& run) { return ShowColumns(kRunColumns, run); }

json::object ViewOf(const Deployment& deployment, const std::optional<Run>& last_run, RunnerKind standard,
                    const date::time_zone* zone) {
  auto view = ShowColumns(kDeploymentColumns, deployment);
  Shown shown{deployment, last_run, standard, zone, {}};
  if (!deployment.damage) shown.body = ToJson(deployment.spec);
  for (const auto& field : SpecFields()) view.emplace(field.name, field.show(shown));
  return view;
}

}  // namespace slipway::deployments
