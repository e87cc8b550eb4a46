#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <vector>

#include "deployments/words.h"
#include "scoring/job.h"

namespace slipway::deployments {

/// What executes the runs of a deployment: a server's own clock and processes, or Airflow.
enum class RunnerKind { kLocal, kAirflow };

template <>
struct Words<RunnerKind> {
  static constexpr auto kName = "runner";
  static constexpr std::array<std::string_view, 2> kAll = {"local", "airflow"};
};
constexpr std::string_view ToString(RunnerKind kind) { return WordOf(kind); }

/// What a batch deployment asks of each of its runs.
using BatchSpec = scoring::Work;

/// What somebody asked for when they made or changed a deployment. All deployments are batch ones today: with online
/// ones, `batch` becomes a std::variant<BatchSpec, OnlineSpec>, and the compiler names the places that must decide.
struct DeploymentSpec {
  std::string owner, domain;
  std::optional<std::vector<std::string>> allowed_roles;  ///< none or empty: for the platform PSK only
  std::optional<RunnerKind> runner;                       ///< absent: the server's default
  std::optional<int64_t> timeout;                         ///< seconds of a run; absent: the server's default
  std::optional<int64_t> retries, retry_delay;            ///< absent: the server's default; seconds
  BatchSpec batch;                                        ///< its model's name is that of the path

  bool operator==(const DeploymentSpec& other) const;
};

/// Which deployments a runner executes: those that name it and, where it is the server's default, those that name none.
struct RunnerScope {
  RunnerKind kind = RunnerKind::kLocal;
  bool is_default = true;
  bool Has(const DeploymentSpec& spec) const { return spec.runner ? *spec.runner == kind : is_default; }
};

/// The limits of a run of the deployment, where the server's are `standard`.
scoring::RunLimits LimitsFor(const DeploymentSpec& spec, const scoring::RunLimits& standard);

/// How a run is tried again that failed for want of something that was away.
struct RetryPolicy {
  int64_t retries = 4, delay_seconds = 15;
  /// The pause after attempt `attempt`, from 1: it doubles, up to an hour.
  int64_t PauseAfter(int attempt) const;
};
RetryPolicy RetriesFor(const DeploymentSpec& spec, const RetryPolicy& standard);

/// Reads a spec from a body of contract::CreateDeploymentBody, or from what ToJson wrote. The path's `model` wins over
/// the body's. kInvalid names the member that is missing or of another type; nothing is thrown.
Result<DeploymentSpec> ParseSpec(const boost::json::value& body, const std::string& model);

/// The spec as the store keeps it, with the names of the contract's body.
boost::json::object ToJson(const DeploymentSpec& spec);

}  // namespace slipway::deployments
