#pragma once

#include <cstddef>
#include <cstdint>

#include "model/forest/thresholds.h"

/// Values become ranks among thresholds. Buffers as vectors.h says.
namespace slipway::model {

/// For each value the number of thresholds below it, or Ranks::kNaN; Ranks::kZero where the value is at most
/// `zero_band` from zero.
void RankFloats(const Thresholds<float>& thresholds, double zero_band, const float* values, size_t rows,
                uint32_t* ranks);
void RankDoubles(const Thresholds<double>& thresholds, double zero_band, const double* values, size_t rows,
                 uint32_t* ranks);

/// A rank becomes min(rank - first, last), at least 0; those of missing values and of zero have a number of their own.
struct RankCodes {
  uint32_t first = 0, last = 0, nan = 0, zero = 0;
};
void NarrowRanks(const uint32_t* ranks, size_t rows, const RankCodes& codes, uint16_t* out);

}  // namespace slipway::model
