#pragma once

#include <optional>
#include <string>
#include <vector>

#include "scoring/job.h"
#include "scoring/plan_json.h"
#include "scoring/run_files.h"

namespace slipway::dispatch {

/// The program that does in a process of its own what is too large for this one (kTooLarge): a metadata.json of
/// hundreds of megabytes is an honest table's, or an attack.
struct OtherProcess {
  std::string program;                   ///< the slipway binary
  std::vector<std::string> environment;  ///< NAME=value
};

/// The version that a run of the job would use, or what is wrong with it; as MakePlan. Ends after a minute.
scoring::PlanAnswer PlanElsewhere(const OtherProcess& other, const scoring::Job& job);

/// As FindOutcome. Ends after ten seconds: a dispatcher waits for it, and has leases to renew.
Result<std::optional<scoring::RunOutcome>> FindOutcomeElsewhere(const OtherProcess& other, const scoring::Job& job);

}  // namespace slipway::dispatch
