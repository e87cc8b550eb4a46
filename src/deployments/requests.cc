#include "deployments/requests.h"

#include "base/format.h"
#include "base/ids.h"
#include "base/json.h"
#include "deployments/airflow_names.h"
#include "deployments/cron.h"

namespace slipway::deployments {
namespace {

std::string Text(const json::value& value) { return std::string(value.as_string()); }

std::optional<std::string> TextOrNull(const json::value& value) {
  return value.is_string() ? std::optional(Text(value)) : std::nullopt;
}

std::optional<int64_t> NumberOrNull(const json::value& value) {
  return value.is_int64() ? std::optional(value.get_int64()) : std::nullopt;
}

/// An instant where there is a text; one that is none becomes a problem at `loc`.
std::optional<Timestamp> Instant(const json::value& value, std::vector<std::string> loc,
                                 std::vector<scoring::Problem>& problems) {
  if (!value.is_string()) return std::nullopt;
  auto instant = ParseTimestamp(std::string_view(value.get_string()));
  if (instant) return *instant;
  problems.push_back({ErrorKind::kInvalid, std::move(loc), instant.error().message});
  return std::nullopt;
}

std::optional<RunnerKind> RunnerOrNull(const json::value& value) {
  if (!value.is_object()) return std::nullopt;
  auto kind = ParseWord<RunnerKind>(std::string_view(value.at("kind").as_string()));
  return kind ? std::optional(*kind) : std::nullopt;
}

}  // namespace

Result<NewDeployment> ParseNewDeployment(const json::object& body, const std::string& model) {
  auto spec = ParseSpec(body, model);
  if (!spec) return Fail(ErrorKind::kInternal, "a body that validates is not a deployment: {}", spec.error().message);
  return NewDeployment{.model = model,
                       .name = Text(body.at("name")),
                       .spec = std::move(*spec),
                       .schedule = TextOrNull(body.at("schedule")),
                       .trigger_now = body.at("trigger_now").as_bool()};
}

DeploymentChange ParseChange(const json::object& patch) {
  DeploymentChange change;
  auto given = [&](const char* name, auto&& take) {
    if (const auto* value = patch.if_contains(name)) take(*value);
  };
  given("schedule", [&](const json::value& value) { change.schedule = TextOrNull(value); });
  given("filter_sql", [&](const json::value& value) { change.filter_sql = TextOrNull(value); });
  given("snapshot_id", [&](const json::value& value) { change.snapshot_id = NumberOrNull(value); });
  given("rerun_behavior", [&](const json::value& value) {
    change.rerun_behavior =
        value == "append_dedup" ? scoring::RerunBehavior::kAppendDedup : scoring::RerunBehavior::kOverwritePartition;
  });
  given("owner", [&](const json::value& value) { change.owner = Text(value); });
  given("domain", [&](const json::value& value) { change.domain = Text(value); });
  given("timeout", [&](const json::value& value) { change.timeout = NumberOrNull(value); });
  given("retries", [&](const json::value& value) { change.retries = NumberOrNull(value); });
  given("retry_delay", [&](const json::value& value) { change.retry_delay = NumberOrNull(value); });
  given("runner", [&](const json::value& value) { change.runner = RunnerOrNull(value); });
  if (patch.contains("model_version") || patch.contains("model_alias")) change.pin.emplace();
  given("model_version", [&](const json::value& value) { change.pin->version = TextOrNull(value); });
  given("model_alias", [&](const json::value& value) { change.pin->alias = TextOrNull(value); });
  return change;
}

std::optional<std::vector<std::string>> ParseRoles(const json::object& body) {
  std::vector<std::string> roles;
  for (const auto& role : body.at("allowed_roles").as_array()) roles.push_back(Text(role));
  return roles;
}

Outcome<std::optional<Timestamp>> ParseLogicalDate(const json::object& body) {
  std::vector<scoring::Problem> problems;
  auto instant = Instant(body.at("logical_date"), {"logical_date"}, problems);
  if (!problems.empty()) return Refused(std::move(problems));
  return instant;
}

Outcome<Span> ParseSpan(const json::object& body, const date::time_zone* zone) {
  std::vector<scoring::Problem> problems;
  auto end = [&](const char* name, std::chrono::days days, std::chrono::microseconds before) {
    if (auto day = ParseDate(std::string_view(body.at(name).as_string())))
      return std::optional(StartOfDay(*day + days, zone) - before);
    return Instant(body.at(name), {name}, problems);
  };
  using std::chrono::days, std::chrono::microseconds;
  auto from = end("from", days{0}, microseconds{0}), to = end("to", days{1}, microseconds{1});
  if (from && to && *to < *from) problems.push_back({ErrorKind::kInvalid, {"to"}, "lies before 'from'"});
  if (!problems.empty()) return Refused(std::move(problems));
  return Span{*from, *to};
}

Outcome<RunReport> ParseReport(const json::object& body) {
  RunReport report{.airflow_run_id = Text(body.at("airflow_run_id"))};
  if (auto status = ParseRunStatus(std::string_view(body.at("status").as_string()))) report.status = *status;
  report.rows_scored = NumberOrNull(body.at("rows_scored"));
  report.error_message = TextOrNull(body.at("error_message"));
  const auto& details = body.at("slipway");
  if (!details.is_object()) return report;
  std::vector<scoring::Problem> problems;
  report.run_id = TextOrNull(details.at("run_id"));
  if (report.run_id && !IsUuid(*report.run_id))
    problems.push_back({ErrorKind::kInvalid, {"slipway", "run_id"}, "is not a UUID"});
  report.logical_date = Instant(details.at("logical_date"), {"slipway", "logical_date"}, problems);
  report.model_version = TextOrNull(details.at("model_version"));
  report.snapshot_id = NumberOrNull(details.at("snapshot_id"));
  if (const auto* rows = details.as_object().if_contains("rows_left_out")) report.rows_left_out = NumberOrNull(*rows);
  if (const auto* log = details.as_object().if_contains("log")) report.log = TextOrNull(*log);
  report.attempt = NumberOrNull(details.at("attempt"));
  if (!problems.empty()) return Refused(std::move(problems));
  return report;
}

bool IsAbout(const RunReport& report, const std::string& run_id) {
  if (!report.run_id) return report.airflow_run_id == NameInAirflow(run_id);
  constexpr int kMostCleared = 100;  // of a count that grows by the tries of a task
  for (int cleared = 0; cleared <= kMostCleared; ++cleared)
    if (*report.run_id == RunIdInAirflow("", "", run_id, cleared)) return true;
  return false;
}

}  // namespace slipway::deployments
