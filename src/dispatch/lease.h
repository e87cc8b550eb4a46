#pragma once

#include <filesystem>

#include "base/error.h"

namespace slipway::dispatch {

/// The lease of a run as its scoring process sees it: a file with the instant, on the machine's monotonic clock, until
/// which the server holds the run. A server that hangs does not renew it, and then another one may have the run
/// already.
Result<> WriteLease(const std::filesystem::path& file, double until);

/// kCancelled when the lease has run out.
Result<> CheckLease(const std::filesystem::path& file);

}  // namespace slipway::dispatch
