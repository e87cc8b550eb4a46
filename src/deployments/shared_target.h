#pragma once

#include "database/sql.h"
#include "deployments/records.h"

/// Who else writes into a deployment's target; for the store's own .cc files.
namespace slipway::deployments {

/// The target as the table `deployments` holds it, to be looked for: catalog/schema/table.
std::string TargetKey(const BatchSpec& batch);

/// Whether `after`, in the place of `before` (none: it is new), begins to replace rows of others where others write
/// into its target: that needs a look at who does. One that did so already goes on: whoever shares a target of an
/// earlier version is not shut out by an upgrade.
bool BeginsToReplaceAll(const Deployment* before, const Deployment& after);

/// kConflict, by name: another deployment that is neither stopped nor archived has the same target. Of two transactions
/// that ask for one target at once, the second one waits for the first.
Result<> RequireAlone(sql::Session& session, const Dialect& dialect, const Deployment& deployment);

}  // namespace slipway::deployments
