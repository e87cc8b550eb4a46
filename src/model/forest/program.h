#pragma once

#include <cstdint>
#include <vector>

#include "model/forest/columns.h"
#include "model/forest/kernels.h"

namespace slipway::model {

constexpr size_t kMostProgramLeaves = 256;  ///< leaf numbers are bytes
constexpr size_t kSlots = 16;               ///< more than any tree of so many leaves needs at once

/// A tree of 2 to 256 leaves as steps, children first. Makes columns for its splits, and appends its sets of categories to `tables`.
std::vector<Step> ProgramOf(const Tree& tree, const Ranks& ranks, Columns<uint8_t>& columns, std::vector<uint8_t>& tables);

}  // namespace slipway::model
