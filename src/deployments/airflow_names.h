#pragma once

#include <optional>
#include <string>

/// What runs are called in Airflow, and which runs its names stand for.
namespace slipway::deployments {

/// What a run that Slipway triggers is called in Airflow.
std::string NameInAirflow(const std::string& run_id);

/// The run that Airflow does under a name: the one that Slipway triggered it for, or one that follows from the name.
/// Each time it is cleared in Airflow it is another run (`cleared` counts): Airflow's retries are attempts of the same.
std::string RunIdInAirflow(const std::string& deployment_id, const std::string& airflow_run_id,
                           const std::optional<std::string>& triggered_for = std::nullopt, int cleared = 0);

}  // namespace slipway::deployments
