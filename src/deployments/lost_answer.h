#pragma once

#include <functional>

#include "database/database.h"

namespace slipway::deployments {

/// A write of which nobody knows whether it was made, since the answer to its commit was lost, is done again: `work` is
/// told so by `again`, and then first looks for what it wrote the first time. It may be still on its way: the second
/// time has to touch the same row or unique key, and so waits until the first transaction has ended. The error is
/// kPerhapsCommitted only when no answer comes at all.
Result<> WriteAndLookUp(Database& database, const std::function<Result<>(sql::Session&, bool again)>& work);

}  // namespace slipway::deployments
