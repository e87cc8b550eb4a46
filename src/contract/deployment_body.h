#pragma once

#include "contract/description.h"

namespace slipway::contract {

/// The body of POST /api/models/{model}/deployments.
const ObjectDescription& CreateDeploymentBody();

/// Parts of it, which answers show too.
const ObjectDescription& SourceBody();
const ObjectDescription& TargetBody();
const ObjectDescription& RunnerBody();

/// Of a run, in seconds; absent or null: the server's default.
TypeDescription TimeoutType();
inline constexpr auto kTimeoutText =
    "the seconds that a run may take; one that takes longer is ended and fails; null: the server's default";

/// How a run is tried again that failed for want of something that was away.
TypeDescription RetriesType();
TypeDescription RetryDelayType();
inline constexpr auto kRetriesText =
    "how often a run is tried again that failed since something was away; null: the server's default";
inline constexpr auto kRetryDelayText =
    "the seconds before the first of these; each later one waits twice as long, an hour at most (in Airflow: as long); "
    "null: the server's default";

/// The body of PATCH .../{name}; a field that is absent stays as it is.
const ObjectDescription& PatchBody();

/// The body of PUT .../allowed_roles.
const ObjectDescription& AllowedRolesBody();

/// The bodies of POST .../trigger, .../backfill, .../runs (the callback of a DAG) and /api/user/psk.
const ObjectDescription& TriggerBody();
const ObjectDescription& BackfillBody();
const ObjectDescription& CallbackBody();
const ObjectDescription& UserKeyBody();

/// The bodies of POST /api/service-accounts and .../{account}/keys.
const ObjectDescription& ServiceAccountBody();
const ObjectDescription& ServiceKeyBody();

/// The query of create, of a backfill, of lists of deployments, and of other lists.
const ObjectDescription& CreateQuery();
const ObjectDescription& BackfillQuery();
const ObjectDescription& DeploymentsQuery();
const ObjectDescription& PageQuery();
const ObjectDescription& RunLogQuery();
const ObjectDescription& AuditQuery();
const ObjectDescription& AccessQuery();

/// What the API answers with, beside deployments and runs (deployments/views.h).
const ObjectDescription& UserKeyView();
const ObjectDescription& NewUserKeyView();
const ObjectDescription& ServiceAccountView();
const ObjectDescription& ServiceKeyView();
const ObjectDescription& RunLogView();
const ObjectDescription& AuditView();
const ObjectDescription& AccessView();
const ObjectDescription& DeliveryView();

/// Whether `text` is a DNS-1123 label without its length limit: ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$
bool IsLabel(std::string_view text);

}  // namespace slipway::contract
