#pragma once

#include "database/database.h"

namespace slipway {

/// Brings a database to the newest schema, in the caller's transaction. kUnsupported: a newer Slipway wrote it.
Result<> Migrate(sql::Session& session, const Dialect& dialect);

}  // namespace slipway
