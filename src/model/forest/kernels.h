#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// The inner loops, in the widest vectors that the machine has (Highway, chosen at run time). Buffers of bytes and sums are aligned to
/// 64 bytes, with room for whole vectors behind the last row.
namespace slipway::model {

constexpr size_t kRankPadding = 32;
constexpr size_t kVectorRows = 64;  ///< rows of the widest vector of bytes; blocks are multiples of it

/// For each value the number of thresholds below it, or Ranks::kNaN; Ranks::kZero where the value is at most `zero_band` from zero.
/// `thresholds` sorted, and padded with infinity to `count`, a multiple of kRankPadding above their number.
void RankFloats(const float* thresholds, size_t count, double zero_band, const float* values, size_t rows, uint32_t* ranks);
void RankDoubles(const double* thresholds, size_t count, double zero_band, const double* values, size_t rows, uint32_t* ranks);

/// A rank becomes min(rank - first, 255), at least 0; those of missing values and of zero have a number of their own.
struct RankCodes {
  uint32_t first = 0, nan = 0, zero = 0;
};
void NarrowRanks(const uint32_t* ranks, size_t rows, const RankCodes& codes, uint8_t* out);

/// Rows whose rank in `column` is at most `threshold` take the left side's numbers, others the right's; or, with `pages`, rows whose category is in the set: 32
/// bytes for each page at `set` in the tables, looked up through two columns (see Columns).
struct Step {
  uint32_t column = 0, set = 0;
  uint16_t pages = 0;
  uint8_t threshold = 0, out = 0;  ///< `out`: the slot of the result
  bool left_is_leaf = true, right_is_leaf = true;
  uint8_t left = 0, right = 0;  ///< leaf numbers, or slots
};

/// Where steps read and write: columns of ranks and slots of leaf numbers, each `stride` bytes long.
struct StepMemory {
  const uint8_t* columns = nullptr;
  const uint8_t* tables = nullptr;
  uint8_t* slots = nullptr;
  size_t stride = 0;
};

/// Runs the steps of a tree for `rows` rows; the slot that holds which leaf each row reaches.
const uint8_t* RunSteps(const Step* steps, size_t count, const StepMemory& memory, size_t rows);

/// sums[row] += values[leaves[row]], of `count` values; those are padded to 64.
void AddGathered(const double* values, size_t count, const uint8_t* leaves, size_t rows, double* sums);
void AddGathered(const float* values, size_t count, const uint8_t* leaves, size_t rows, float* sums);

/// Rows in a vector of bytes, here: 1 where there are no vectors.
size_t VectorRows();

/// For measurements: only vectors of this kind and narrower ones ("AVX3", "AVX2", "SSE4", "SSSE3", "SCALAR"). False: this machine has no such.
bool LimitVectors(std::string_view target);

}  // namespace slipway::model
