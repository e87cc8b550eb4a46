#pragma once

#include "contract/description.h"

namespace slipway::contract {

/// The body of POST /api/models/{model}/deployments.
const ObjectDescription& CreateDeploymentBody();

/// The body of POST .../trigger.
const ObjectDescription& TriggerBody();

/// What the API answers with: a deployment, and a run.
const ObjectDescription& DeploymentView();
const ObjectDescription& RunView();

/// Whether `text` is a DNS-1123 label without its length limit: ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$
bool IsLabel(std::string_view text);

}  // namespace slipway::contract
