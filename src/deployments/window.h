#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "deployments/records.h"
#include "scoring/job.h"

namespace date {
class time_zone;
}

namespace slipway::deployments {

/// What a run of a deployment with this schedule stands for (docs/decisions/0014): the day, in UTC, of its logical
/// date; of a schedule that fires more than once on some day, the time from the last tick that is not after the logical
/// date to the next one. `zone`: of the schedule; null: UTC. kInvalid: no cron expression.
Result<scoring::Window> WindowOf(const std::optional<std::string>& schedule, const date::time_zone* zone,
                                 Timestamp logical_date);

/// The same for a deployment that is described as a DAG carries it: by its `cron` and `time_zone`.
Result<scoring::Window> WindowOfCarried(std::string_view deployment, Timestamp logical_date);

/// The job of one run; `zone`: of schedules. kCorrupt: the record of the run or of its deployment is damaged.
Result<scoring::Job> JobOf(const Run& run, const Deployment& deployment, const date::time_zone* zone,
                           const scoring::Places& places);

/// In one sentence, for people: what a rerun will replace.
std::string ReplacesText(const Deployment& deployment, const date::time_zone* zone);

}  // namespace slipway::deployments
