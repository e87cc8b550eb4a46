#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "deployments/records.h"
#include "deployments/refusal.h"

namespace date {
class time_zone;
}

/// What the API is asked for, as types. Each is read from what contract::Parse has made of a body, which is therefore
/// well formed. A Refusal names texts that are not what their field asks for: an instant, a UUID.
namespace slipway::deployments {

struct NewDeployment {
  std::string model, name;
  DeploymentSpec spec;
  std::optional<std::string> schedule;
  bool trigger_now = false;
};
/// `model`: of the path. kInternal where the body is not contract::CreateDeploymentBody.
Result<NewDeployment> ParseNewDeployment(const boost::json::object& body, const std::string& model);

/// A PATCH; what is absent stays as it is.
struct DeploymentChange {
  struct Pin {
    std::optional<std::string> version, alias;
  };
  std::optional<Pin> pin;
  std::optional<std::optional<std::string>> schedule, filter_sql;
  std::optional<std::optional<int64_t>> snapshot_id;
  std::optional<scoring::RerunBehavior> rerun_behavior;
  std::optional<std::string> owner, domain;
  std::optional<std::optional<RunnerKind>> runner;
  std::optional<std::optional<int64_t>> timeout, retries, retry_delay;
};
DeploymentChange ParseChange(const boost::json::object& patch);

std::optional<std::vector<std::string>> ParseRoles(const boost::json::object& body);

/// Of a trigger; absent means now.
Outcome<std::optional<Timestamp>> ParseLogicalDate(const boost::json::object& body);

/// Of a backfill: both ends belong to it. A date without a time stands for all of that day in `zone`, that of the
/// schedules: as `from` for its beginning, as `to` for its end.
struct Span {
  Timestamp from, to;
};
Outcome<Span> ParseSpan(const boost::json::object& body, const date::time_zone* zone = nullptr);

/// What a DAG tells of its run.
struct RunReport {
  std::string airflow_run_id;
  RunStatus status = RunStatus::kQueued;
  std::optional<int64_t> rows_scored, rows_left_out, snapshot_id, attempt;
  std::optional<std::string> error_message, model_version, log;
  /// Slipway's own DAGs say which run it is: one that was cleared in Airflow and is done again has the same name.
  std::optional<std::string> run_id;
  std::optional<Timestamp> logical_date;
};
Outcome<RunReport> ParseReport(const boost::json::object& body);

/// Whether a report is about a run that Slipway triggered in Airflow, or about the run that it became when it was
/// cleared there (RunIdInAirflow).
bool IsAbout(const RunReport& report, const std::string& run_id);

}  // namespace slipway::deployments
