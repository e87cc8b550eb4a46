#pragma once

#include <string>

#include "base/error.h"

/// What the server does to its own process and files before it serves.
namespace slipway::server {

/// As many open files as the system allows this process; how many that are.
int RaiseFileLimit();

/// Files that this process and those that it starts make are nobody's business but the user's and, to read, the
/// group's.
void KeepFilesToOurselves();

/// Makes the data directory, for this user alone. One that is there keeps its mode, since it may be shared on purpose:
/// the log says so; but what Slipway keeps in it (the store, the catalog, runs, models) is taken from others.
Result<> OpenDataFolder(const std::string& data_dir);

}  // namespace slipway::server
