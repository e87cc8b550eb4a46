#pragma once

#include <string>

#include "deployments/records.h"
#include "scoring/job.h"

namespace slipway::dispatch {

/// What every DAG of a server shares.
struct DagSettings {
  scoring::Places places;
  std::string callback_url;  ///< of this server, as workers reach it
  std::string time_zone = "UTC";
  int retries = 2, retry_seconds = 60;
  scoring::RunLimits limits;  ///< of a run; its deployment may name other seconds
};

inline constexpr std::string_view kDagTag = "slipway", kDagTask = "score";

/// Readable, valid in Airflow, and no other deployment's: slipway.<model>.<name>.<start of the id>.
std::string DagIdOf(const deployments::Deployment& deployment);

/// A DAG's file: one fixed Python template (dag_template.py) that carries the deployment as JSON. No value of a
/// deployment stands in code: what Python reads is a literal in which nothing but letters, digits and JSON's own marks
/// stands as it is.
struct DagFile {
  std::string text;
  std::string digest;  ///< of the text; a tag of the DAG tells which one Airflow has parsed
  std::string tag() const { return "slipway-" + digest; }
};

/// kCorrupt: the deployment's record is damaged.
Result<DagFile> RenderDag(const deployments::Deployment& deployment, const DagSettings& settings);

}  // namespace slipway::dispatch
