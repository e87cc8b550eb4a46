#pragma once

#include <boost/json/object.hpp>

#include "contract/description.h"
#include "deployments/records.h"

namespace date {
class time_zone;
}

/// Records as the API shows them. Each shown field is one line of a table (rows.h, views.cc), from which come both what
/// is answered and its description in the OpenAPI document.
namespace slipway::deployments {

const contract::ObjectDescription& RunView();
const contract::ObjectDescription& DeploymentView();

/// The body of a PATCH: what of a deployment can change. A field that is shown, or was given when it was created, and
/// cannot change is refused by name.
const contract::ObjectDescription& PatchBody();

boost::json::object ViewOf(const Run& run);
/// `standard`: the runner of deployments that name none; `zone`: of schedules.
boost::json::object ViewOf(const Deployment& deployment, const std::optional<Run>& last_run, RunnerKind standard,
                           const date::time_zone* zone);

}  // namespace slipway::deployments
