#pragma once

#include <span>

#include "database/schema.h"

namespace slipway::deployments {

/// The tables of this folder.
std::span<const Migration> Migrations();

}  // namespace slipway::deployments
