#include <algorithm>

#include "contract/deployment_body.h"
#include "contract/fields.h"

namespace slipway::contract {
namespace {

const std::vector<std::string> kDeploymentStatuses = {"pending", "deploying", "active",
                                                      "failed",  "stopped",   "archived"};
const TypeDescription kLimit{.kind = Kind::kInteger, .least = 1, .most = 500};

FieldDescription Limit() { return Defaulted("limit", kLimit, 50, "items of a page, at most"); }
bool IsCursor(std::string_view text) {
  return !text.empty() && text.size() <= 18 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}
/// catalog.schema.table
bool IsTable(std::string_view text) {
  auto first = text.find('.'), last = text.rfind('.');
  return first != std::string_view::npos && first > 0 && last > first + 1 && last + 1 < text.size();
}
/// model/name
bool IsDeployment(std::string_view text) {
  auto slash = text.find('/');
  return slash != std::string_view::npos && slash > 0 && slash + 1 < text.size();
}
FieldDescription Cursor() {
  return Optional("cursor", {.pattern = "^[0-9]{1,18}$", .matches = IsCursor}, "next_cursor of the page before");
}

}  // namespace

const ObjectDescription& PatchBody() {
  static const ObjectDescription kBody{
      "PatchDeployment",
      {Optional("schedule", {.nullable = true}, "a cron expression; null means manual trigger only"),
       Optional("model_version", {.nullable = true}, "pins a version, and drops the alias"),
       Optional("model_alias", {.nullable = true}, "follows an alias, and drops the pin"),
       Optional("filter_sql", {.nullable = true}, "a condition over the source's columns"),
       Optional("snapshot_id", {.kind = Kind::kInteger, .nullable = true},
                "a fixed snapshot; null reads the current one"),
       Optional("rerun_behavior", {.kind = Kind::kLiteral, .literals = {"overwrite_partition", "append_dedup"}}, ""),
       Optional("owner", {}, ""), Optional("domain", {}, ""), Optional("timeout", TimeoutType(), kTimeoutText),
       Optional("retries", RetriesType(), kRetriesText), Optional("retry_delay", RetryDelayType(), kRetryDelayText),
       Optional("runner", {.kind = Kind::kObject, .nullable = true, .object = &RunnerBody()},
                "what executes its runs; null: the server's default")},
      [](const json::object& o) -> std::optional<std::string> {
        auto given = [&](const char* name) { return o.contains(name) && !o.at(name).is_null(); };
        if (given("model_version") && given("model_alias")) return "only one of model_version / model_alias can be set";
        bool named = o.contains("model_version") || o.contains("model_alias");
        if (named && !given("model_version") && !given("model_alias"))
          return "one of model_version / model_alias must stay set";
        return std::nullopt;
      },
      {{"oneOf", [] {
          auto cases = OneOfBoth("model_version", "model_alias");
          auto named = [](const char* name) { return json::object{{"required", json::array{name}}}; };
          cases.push_back(json::object{
              {"not", json::object{{"anyOf", json::array{named("model_version"), named("model_alias")}}}}});
          return cases;
        }()}}};
  return kBody;
}

const ObjectDescription& AllowedRolesBody() {
  static const ObjectDescription kBody{
      "AllowedRoles",
      {{"allowed_roles", {.kind = Kind::kStringList}, std::nullopt, "empty means platform PSK only"}},
      {}};
  return kBody;
}

const ObjectDescription& TriggerBody() {
  static const ObjectDescription kBody{
      "Trigger",
      {Nullable("logical_date", Kind::kString, "the instant the run stands for (RFC 3339); null means now")},
      {}};
  return kBody;
}

const ObjectDescription& BackfillBody() {
  static const ObjectDescription kBody{"Backfill",
                                       {Text("from", "the first instant (RFC 3339), or the first day"),
                                        Text("to", "the last instant, or the last day: all of it")},
                                       {}};
  return kBody;
}

namespace {

const ObjectDescription& RunDetails() {
  static const ObjectDescription kBody{
      "RunDetails",
      {Nullable("run_id", Kind::kString,
                "which run it is, where its DAG knows: a run that was cleared and done again is another one"),
       Nullable("logical_date", Kind::kString, "of a run that the server does not know yet"),
       Nullable("model_version", Kind::kString, "that was resolved"),
       Defaulted("snapshot_id", {.kind = Kind::kInteger, .nullable = true}, nullptr, "that the run made in the target"),
       Optional("rows_left_out", {.kind = Kind::kInteger, .nullable = true, .least = 0},
                "by append_dedup: rows that stood in the target already"),
       Optional("log", {.nullable = true}, "what the run and its model wrote to standard error: the end of it"),
       Defaulted("attempt", {.kind = Kind::kInteger, .nullable = true, .least = 1}, nullptr, "of the task's tries")},
      {}};
  return kBody;
}

}  // namespace

const ObjectDescription& CallbackBody() {
  static const ObjectDescription kBody{
      "RunReport",
      {{"airflow_run_id", {.max_length = 250}, std::nullopt, "Airflow's name of the run"},
       {"status", {.kind = Kind::kLiteral, .literals = {"queued", "running", "succeeded", "failed"}}, std::nullopt, ""},
       Defaulted("rows_scored", {.kind = Kind::kInteger, .nullable = true, .least = 0}, nullptr, ""),
       Nullable("error_message", Kind::kString, ""),
       {"slipway",
        {.kind = Kind::kObject, .nullable = true, .object = &RunDetails()},
        json::value(nullptr),
        "what Slipway's own DAGs add"}},
      {}};
  return kBody;
}

const ObjectDescription& CreateQuery() {
  static const ObjectDescription kQuery{
      "CreateQuery",
      {Defaulted("validate_only", {.kind = Kind::kBoolean}, false, "check everything and store nothing")},
      {}};
  return kQuery;
}

const ObjectDescription& BackfillQuery() {
  static const ObjectDescription kQuery{
      "BackfillQuery",
      {Defaulted("dry_run", {.kind = Kind::kBoolean}, false, "tell which runs there would be, and queue none")},
      {}};
  return kQuery;
}

const ObjectDescription& DeploymentsQuery() {
  static const ObjectDescription kQuery{"DeploymentsQuery",
                                        {Optional("status", {.kind = Kind::kLiteral, .literals = kDeploymentStatuses},
                                                  "archived ones come only when asked for"),
                                         Optional("owner", {}, ""), Optional("domain", {}, ""), Limit(), Cursor()},
                                        {}};
  return kQuery;
}

const ObjectDescription& PageQuery() {
  static const ObjectDescription kQuery{"PageQuery", {Limit(), Cursor()}, {}};
  return kQuery;
}

const ObjectDescription& RunLogQuery() {
  static const ObjectDescription kQuery{
      "RunLogQuery",
      {Defaulted("after", {.kind = Kind::kInteger, .least = 0}, 0, "the `end` of the answer before: only what is new")},
      {}};
  return kQuery;
}

const ObjectDescription& RunLogView() {
  static const ObjectDescription kView{
      "RunLog",
      {Text("text", "what the run and its model wrote to standard error, of all attempts; of a long one the end"),
       {"start", {.kind = Kind::kInteger}, std::nullopt, "the byte of the log where the text starts"},
       {"end", {.kind = Kind::kInteger}, std::nullopt, "the byte where it ends"}},
      {}};
  return kView;
}

const ObjectDescription& AuditQuery() {
  static const ObjectDescription kQuery{"AuditQuery",
                                        {Optional("model", {}, ""), Optional("deployment", {}, ""),
                                         Optional("actor", {}, "a subject"), Limit(), Cursor()},
                                        {}};
  return kQuery;
}

const ObjectDescription& AccessQuery() {
  static const ObjectDescription kQuery{
      "AccessQuery",
      {Optional("who", {}, "a person who has signed in here, by subject or name; administrators only"),
       Optional("roles", {}, "somebody with these roles (a,b); administrators only"),
       Optional("table", {.pattern = R"(^[^.]+\.[\s\S]+\.[^.]+$)", .matches = IsTable}, "catalog.schema.table"),
       Optional("model", {}, "a model's name"),
       Optional(
           "deployment", {.pattern = R"(^[^/]+/[\s\S]+$)", .matches = IsDeployment},
           "model/name: what it touches, by the rights of its runs too; nothing asked for: all that the rules allow")},
      {}};
  return kQuery;
}

const ObjectDescription& AccessView() {
  static const ObjectDescription kView{
      "Access",
      {Text("who", "whose rights these are"),
       {"roles", {.kind = Kind::kStringList}, std::nullopt, "that count"},
       Text("what", "the table or the model"),
       {"right", {.kind = Kind::kLiteral, .literals = {"read", "write"}}, std::nullopt, ""},
       {"allowed", {.kind = Kind::kBoolean}, std::nullopt, ""},
       Text("because", "the rule that allows it, or what is missing")},
      {}};
  return kView;
}

const ObjectDescription& AuditView() {
  static const ObjectDescription kView{
      "AuditEntry",
      {Text("at", "RFC 3339, UTC"),
       Text("actor", "the subject"),
       Text("actor_kind", "token, user_psk, platform_psk, service_key, run_token or nobody"),
       Text("action", "method and route"),
       Nullable("model", Kind::kString, ""),
       Nullable("deployment", Kind::kString, ""),
       {"status", {.kind = Kind::kInteger}, std::nullopt, "of the answer"},
       Nullable("detail", Kind::kString, "why it was refused"),
       Text("remote", "the caller's address"),
       Text("request_id", "")},
      {}};
  return kView;
}

const ObjectDescription& DeliveryView() {
  static const ObjectDescription kView{"WebhookDelivery",
                                       {Text("delivery_id", "a UUID"),
                                        Text("webhook", "its name in the configuration"),
                                        Text("event", ""),
                                        Text("status", "dead"),
                                        {"attempts", {.kind = Kind::kInteger}, std::nullopt, ""},
                                        Nullable("last_error", Kind::kString, ""),
                                        Text("created_at", "RFC 3339, UTC")},
                                       {}};
  return kView;
}

}  // namespace slipway::contract
