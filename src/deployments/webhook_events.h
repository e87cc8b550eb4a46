#pragma once

#include <map>
#include <set>
#include <string>

#include "deployments/store.h"

namespace slipway::deployments {

/// Webhooks by name, each with the events that it is told of ("run.failed").
using Subscriptions = std::map<std::string, std::set<std::string>>;

/// Queues a delivery of `run.<status>` for every webhook that asked for it.
RunAnnouncer AnnounceToWebhooks(const Database& database, Subscriptions webhooks);

}  // namespace slipway::deployments
