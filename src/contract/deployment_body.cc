#include "contract/deployment_body.h"

#include <algorithm>

#include "contract/fields.h"

namespace slipway::contract {
namespace {

const ObjectDescription& ModelBody() {
  static const ObjectDescription kBody{
      "ModelReference",
      {Text("model_name", "the registered model; the path's model wins"),
       Nullable("model_version", Kind::kString, "a fixed version"),
       Nullable("model_alias", Kind::kString, "an alias, looked up when a run starts")},
      [](const json::object& o) -> std::optional<std::string> {
        if (o.at("model_version").is_null() != o.at("model_alias").is_null()) return std::nullopt;
        return "exactly one of model_version / model_alias must be set";
      },
      {{"oneOf", OneOfBoth("model_version", "model_alias")}}};
  return kBody;
}

const ObjectDescription& SourceBody() {
  static const ObjectDescription kBody{
      "SourceTable",
      {Text("schema", "the namespace"), Text("table", "the table that is scored"),
       Defaulted("catalog", {}, "iceberg", "the catalog's name"),
       Nullable("filter_sql", Kind::kString, "a condition in PostgreSQL's grammar over the source's columns"),
       Nullable("snapshot_id", Kind::kInteger, "a fixed snapshot; null reads the current one")},
      {}};
  return kBody;
}

const ObjectDescription& TargetBody() {
  static const ObjectDescription kBody{
      "TargetTable",
      {Text("schema", "the namespace"), Text("table", "the predictions table; made where missing"),
       Defaulted("catalog", {}, "iceberg", "the catalog's name")},
      {}};
  return kBody;
}

}  // namespace

bool IsLabel(std::string_view text) {
  auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && alphanumeric(text.front()) && alphanumeric(text.back()) &&
         std::ranges::all_of(text, [&](char c) { return alphanumeric(c) || c == '-'; });
}

const ObjectDescription& CreateDeploymentBody() {
  static const ObjectDescription kBody{
      "CreateDeployment",
      {{"name",
        {.max_length = 63, .pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", .matches = IsLabel},
        std::nullopt,
        "unique per model among those not archived"},
       {"model", {.kind = Kind::kObject, .object = &ModelBody()}, std::nullopt, ""},
       {"source", {.kind = Kind::kObject, .object = &SourceBody()}, std::nullopt, ""},
       {"target", {.kind = Kind::kObject, .object = &TargetBody()}, std::nullopt, ""},
       {"entity_columns",
        {.kind = Kind::kStringList, .least_items = 1},
        std::nullopt,
        "source columns that the predictions carry; at least one"},
       Text("domain", ""),
       Text("owner", ""),
       Defaulted("type", {.kind = Kind::kLiteral, .literals = {"batch"}}, "batch", ""),
       Nullable("schedule", Kind::kString,
                "a cron expression, in the server's time zone; null means manual trigger only"),
       Defaulted("rerun_behavior", {.kind = Kind::kLiteral, .literals = {"overwrite_partition", "append_dedup"}},
                 "overwrite_partition", ""),
       Defaulted("partition_column", {}, "scored_at", "scored_at or a source column"),
       Defaulted("trigger_now", {.kind = Kind::kBoolean}, false, "start a run at once"),
       Nullable("allowed_roles", Kind::kStringList, "null or empty means platform PSK only")},
      {}};
  return kBody;
}

const ObjectDescription& RunView() {
  static const ObjectDescription kView{
      "Run",
      {Text("run_id", "a UUID"),
       Nullable("airflow_run_id", Kind::kString, ""),
       {"status", {.kind = Kind::kLiteral, .literals = {"queued", "running", "succeeded", "failed"}}, std::nullopt, ""},
       Nullable("rows_scored", Kind::kInteger, ""),
       Nullable("started_at", Kind::kString, ""),
       Nullable("finished_at", Kind::kString, ""),
       Nullable("logical_date", Kind::kString, "the instant the run stands for"),
       Nullable("model_version", Kind::kString, ""),
       Nullable("snapshot_id", Kind::kString, "of the target; text, since it has 63 bits"),
       Nullable("error_message", Kind::kString, ""),
       Nullable("attempt", Kind::kInteger, "")},
      {}};
  return kView;
}

const ObjectDescription& DeploymentView() {
  static const ObjectDescription kView{
      "Deployment",
      {Text("deployment_id", "a UUID"),
       Text("name", ""),
       {"type", {.kind = Kind::kLiteral, .literals = {"batch", "online"}}, std::nullopt, ""},
       {"status",
        {.kind = Kind::kLiteral, .literals = {"pending", "deploying", "active", "failed", "stopped", "archived"}},
        std::nullopt,
        ""},
       Text("domain", ""),
       Text("owner", ""),
       Text("model", ""),
       Text("created_at", "RFC 3339, UTC"),
       Text("updated_at", "RFC 3339, UTC"),
       Nullable("resolved_model_version", Kind::kString, ""),
       Nullable("dag_id", Kind::kString, ""),
       Nullable("dag_s3_uri", Kind::kString, ""),
       Nullable("schedule", Kind::kString, ""),
       {"last_run", {.kind = Kind::kObject, .nullable = true, .object = &RunView()}, json::value(nullptr), ""},
       Nullable("service_url", Kind::kString, ""),
       Nullable("replica_count", Kind::kInteger, ""),
       Nullable("ready_replicas", Kind::kInteger, ""),
       Nullable("allowed_roles", Kind::kStringList, ""),
       Nullable("error_message", Kind::kString, ""),
       Nullable("stopped_at", Kind::kString, "")},
      {}};
  return kView;
}

}  // namespace slipway::contract
