#pragma once

#include <span>

#include "database/schema.h"

namespace slipway::webhooks {

/// The tables of this folder.
std::span<const Migration> Migrations();

}  // namespace slipway::webhooks
