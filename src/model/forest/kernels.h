#pragma once

#include "model/forest/forest.h"

/// The inner loops, in the widest vectors that the machine has (Highway, chosen at run time).
namespace slipway::model {

/// For each value the number of thresholds below it; NaN: any number. `thresholds` sorted, each once.
void RankValues(const double* thresholds, size_t count, const double* values, size_t rows, uint32_t* ranks);

/// Runs the steps of a tree over a block; which leaf each row reaches, in one of the slots.
const uint8_t* RunSteps(const Forest::Step* steps, size_t count, const uint8_t* ranks, uint8_t* slots);

/// sums[row] += values[leaves[row]].
void AddGathered(const double* values, const uint8_t* leaves, size_t rows, double* sums);

}  // namespace slipway::model
