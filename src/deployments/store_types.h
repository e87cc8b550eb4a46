#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "database/database.h"
#include "deployments/records.h"

/// What the store is asked with, and what it gives.
namespace slipway::deployments {

/// Which deployments a list shows; archived ones only when `status` asks for them.
struct DeploymentFilter {
  std::optional<std::string> model, owner, domain;
  std::optional<DeploymentStatus> status;
  std::optional<std::set<std::string>> roles, models;  ///< only those that allow one of the roles; of one of the models
};

/// A page: items in a fixed order, and where the next page starts. Inserts between two pages move nothing.
template <typename T>
struct Page {
  std::vector<T> items;
  std::optional<int64_t> next;
};

/// Is told of each run that was added or has changed its status, in the transaction that does so (webhook_events.h).
using RunAnnouncer = std::function<Result<>(sql::Session& session, const Run& run)>;

struct DeploymentWithRun {
  Deployment deployment;
  std::optional<Run> last_run;
};

/// How the runs of a deployment that are queued or running change with it. What nobody has taken up yet ends in one
/// statement, however much that is: neither leased, nor Airflow's.
struct OpenRunsChange {
  struct End {
    std::string cancelled_by, why;
    Timestamp at;
  };
  std::optional<End> untouched;
  std::function<Result<>(Run&)> each;  ///< then each that is left
};

}  // namespace slipway::deployments
