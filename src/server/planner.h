#pragma once

#include "deployments/lifecycle.h"
#include "dispatch/elsewhere.h"
#include "scoring/sources.h"

namespace slipway::server {

/// The places as the server's own process plans with them: nothing is scored, and a table's metadata is read only where
/// it is small.
scoring::Places ForPlanning(scoring::Places places);

/// Tells the version that a run would use now, by the plan that the run itself makes. It is made here, with `sources`
/// of ForPlanning; of tables whose metadata is too large for the server, in another process, of the `places` as they
/// are.
deployments::Planner MakePlanner(const scoring::Sources& sources, const Clock& clock, scoring::Places places,
                                 scoring::RunLimits limits, dispatch::OtherProcess other);

}  // namespace slipway::server
