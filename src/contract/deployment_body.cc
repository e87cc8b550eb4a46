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

}  // namespace

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

const ObjectDescription& RunnerBody() {
  static const ObjectDescription kBody{"Runner",
                                       {{"kind",
                                         {.kind = Kind::kLiteral, .literals = {"local", "airflow"}},
                                         std::nullopt,
                                         "local: the server's own clock and processes; airflow: a DAG"}},
                                       {}};
  return kBody;
}

TypeDescription TimeoutType() {
  constexpr int64_t kThirtyDays = 2'592'000;
  return {.kind = Kind::kInteger, .nullable = true, .least = 1, .most = kThirtyDays};
}

TypeDescription RetriesType() { return {.kind = Kind::kInteger, .nullable = true, .least = 0, .most = 100}; }

TypeDescription RetryDelayType() {
  constexpr int64_t kDay = 86'400;
  return {.kind = Kind::kInteger, .nullable = true, .least = 0, .most = kDay};
}

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
       Nullable("allowed_roles", Kind::kStringList, "null or empty means platform PSK only"),
       Optional("timeout", TimeoutType(), kTimeoutText),
       Optional("retries", RetriesType(), kRetriesText),
       Optional("retry_delay", RetryDelayType(), kRetryDelayText),
       Optional("runner", {.kind = Kind::kObject, .nullable = true, .object = &RunnerBody()},
                "what executes its runs; absent or null: the server's default")},
      {}};
  return kBody;
}

}  // namespace slipway::contract
