#include "server/planner.h"

#include <algorithm>

#include "base/ids.h"
#include "scoring/plan.h"

namespace slipway::server {
namespace {

/// Of a metadata.json that the server reads in its own process. To parse one that was made for it takes some twelve
/// times its text; what is larger is planned by another process, which has a memory limit.
constexpr int64_t kLargestMetadata = int64_t{2} << 20;

}  // namespace

scoring::Places ForPlanning(scoring::Places places) {
  places.python.interpreter.clear();  // a model of Python's is planned by its signature
  for (auto& catalog : places.catalogs)
    catalog.limits.metadata_bytes = std::min(catalog.limits.metadata_bytes, kLargestMetadata);
  return places;
}

deployments::Planner MakePlanner(const scoring::Sources& sources, const Clock& clock, scoring::Places places,
                                 scoring::RunLimits limits, dispatch::OtherProcess other) {
  places.python.interpreter.clear();
  limits.seconds = 0;  // it is waited for a minute
  return [&sources, &clock, places = std::move(places), limits, other = std::move(other)](
             const deployments::BatchSpec& spec,
             const scoring::When& when) -> std::expected<deployments::Planned, std::vector<scoring::Problem>> {
    auto plan = scoring::MakePlan(spec, sources, when, clock);
    if (plan) return deployments::Planned{plan->model_version.version, plan->DeploymentField() != nullptr};
    if (std::ranges::find(plan.error(), ErrorKind::kTooLarge, &scoring::Problem::kind) == plan.error().end())
      return std::unexpected(std::move(plan.error()));
    auto planned = PlanElsewhere(other, {.run_id = NewUuid(),
                                         .logical_date = when.logical_date,
                                         .window = when.window,
                                         .work = spec,
                                         .places = places,
                                         .limits = limits});
    if (!planned) return std::unexpected(std::move(planned.error()));
    return deployments::Planned{planned->model_version, planned->own_rows};
  };
}

}  // namespace slipway::server
