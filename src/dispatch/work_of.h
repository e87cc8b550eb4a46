#pragma once

#include <string>

#include "deployments/records.h"
#include "scoring/job.h"

namespace slipway::dispatch {

/// What a deployment asks of its runs: its body, as contract::Parse has made it, with the path's model.
Result<scoring::Work> WorkOf(const deployments::Deployment& deployment);
Result<scoring::Work> WorkOf(const boost::json::object& body, const std::string& model);

}  // namespace slipway::dispatch
