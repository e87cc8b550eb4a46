#include "server/answers.h"

#include <boost/json/serialize.hpp>

#include "base/json.h"

namespace slipway::server {
namespace {

using deployments::Deployment;
using deployments::Run;

template <typename T>
json::value OrNull(const std::optional<T>& value) {
  if (!value) return nullptr;
  if constexpr (std::is_same_v<T, Timestamp>)
    return json::value(FormatTimestamp(*value));
  else
    return json::value(*value);
}

int StatusOf(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
    case ErrorKind::kUnsupported: return 400;
    case ErrorKind::kNotFound: return 404;
    case ErrorKind::kConflict: return 409;
    case ErrorKind::kDenied: return 403;
    case ErrorKind::kUnavailable:
    case ErrorKind::kPerhapsCommitted: return 503;
    default: return 500;
  }
}

}  // namespace

Response JsonAnswer(int status, const json::value& body) { return {status, json::serialize(body)}; }

Response ErrorAnswer(int status, std::string_view detail) {
  auto response = JsonAnswer(status, json::object{{"detail", detail}});
  if (status == 503) response.headers["Retry-After"] = "2";
  return response;
}

Response ErrorAnswer(const Error& error) {
  auto response = ErrorAnswer(StatusOf(error.kind), error.message);
  if (error.kind == ErrorKind::kPerhapsCommitted) response.headers.erase("Retry-After");  // first look, then retry
  return response;
}

Response ValidationAnswer(const std::vector<contract::ValidationError>& errors) {
  json::array detail;
  for (const auto& error : errors) detail.push_back(ToJson(error));
  return JsonAnswer(422, json::object{{"detail", std::move(detail)}});
}

json::object ViewOf(const Run& run) {
  return {{"run_id", run.run_id},
          {"airflow_run_id", OrNull(run.airflow_run_id)},
          {"status", ToString(run.status)},
          {"rows_scored", OrNull(run.rows_scored)},
          {"started_at", OrNull(run.started_at)},
          {"finished_at", OrNull(run.finished_at)},
          {"logical_date", FormatTimestamp(run.logical_date)},
          {"model_version", OrNull(run.model_version)},
          {"snapshot_id", run.snapshot_id ? json::value(std::to_string(*run.snapshot_id)) : json::value(nullptr)},
          {"error_message", OrNull(run.error_message)},
          {"attempt", run.attempt}};
}

json::object ViewOf(const Deployment& d, const std::optional<Run>& last_run) {
  return {{"deployment_id", d.deployment_id},
          {"name", d.name},
          {"type", "batch"},
          {"status", ToString(d.status)},
          {"domain", d.body.at("domain")},
          {"owner", d.body.at("owner")},
          {"model", d.model},
          {"created_at", FormatTimestamp(d.created_at)},
          {"updated_at", FormatTimestamp(d.updated_at)},
          {"resolved_model_version", OrNull(d.resolved_model_version)},
          {"dag_id", OrNull(d.dag_id)},
          {"dag_s3_uri",
           d.dag_location && d.dag_location->starts_with("s3") ? json::value(*d.dag_location) : json::value(nullptr)},
          {"schedule", OrNull(d.schedule)},
          {"last_run", last_run ? json::value(ViewOf(*last_run)) : json::value(nullptr)},
          {"service_url", nullptr},
          {"replica_count", nullptr},
          {"ready_replicas", nullptr},
          {"allowed_roles", d.body.at("allowed_roles")},
          {"error_message", OrNull(d.error_message)},
          {"stopped_at", OrNull(d.stopped_at)}};
}

}  // namespace slipway::server
