#pragma once

#include <map>
#include <set>
#include <string>

#include "deployments/store.h"

namespace slipway::deployments {

/// Webhooks by name, each with the events that it is told of ("run.failed").
using Subscriptions = std::map<std::string, std::set<std::string>>;

/// A run has succeeded, and may have lost something all the same.
inline constexpr auto kWarningEvent = "run.warning";

/// Queues a delivery of `run.<status>`, and of kWarningEvent, for every webhook that asked for it.
RunAnnouncer AnnounceToWebhooks(const Database& database, Subscriptions webhooks);

}  // namespace slipway::deployments
