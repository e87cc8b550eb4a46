#pragma once

#include "database/sql.h"
#include "deployments/records.h"

namespace slipway::deployments {

/// Of a run that is about to be stored as succeeded: says in `warning` what may have been lost, as the runs of its
/// deployment before it suggest. A run of no rows, where the last one that had some has shown that there are any; rows
/// that append_dedup left out are not lost, and a run that tried them has no warning.
Result<> Warn(sql::Session& session, Run& run);

}  // namespace slipway::deployments
