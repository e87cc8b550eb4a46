#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

/// The inner loops, in the widest vectors that the machine has (Highway, chosen at run time). Buffers of bytes and sums are aligned to
/// 64 bytes, with room for whole vectors behind the last row.
namespace slipway::model {

constexpr size_t kRankPadding = 256;
constexpr size_t kVectorRows = 64;  ///< bytes of the widest vector

/// The first steps of a binary search: thresholds that part all of them into up to kRankPadding blocks, in the order of a heap (Eytzinger): below node
/// k come 2k and 2k + 1. `thresholds` are `count`: a power of two, or a multiple of kRankPadding.
template <typename T>
struct Pivots {
  alignas(64) T heap[kRankPadding] = {};
  size_t levels = 0, block = 1;

  Pivots() = default;
  Pivots(const T* thresholds, size_t count) {
    const size_t blocks = count < kRankPadding ? count : kRankPadding;
    block = count / blocks;
    for (; size_t{1} << levels < blocks; ++levels)
      for (size_t i = 0; i < size_t{1} << levels; ++i)
        heap[(size_t{1} << levels) + i] = thresholds[(2 * i + 1) * (blocks >> (levels + 1)) * block - 1];
  }
};

/// For each value the number of thresholds below it, or Ranks::kNaN; Ranks::kZero where the value is at most `zero_band` from zero.
/// `thresholds` are sorted, and at least one infinity is behind them.
void RankFloats(const float* thresholds, const Pivots<float>& pivots, double zero_band, const float* values, size_t rows, uint32_t* ranks);
void RankDoubles(const double* thresholds, const Pivots<double>& pivots, double zero_band, const double* values, size_t rows,
                 uint32_t* ranks);

/// A rank becomes min(rank - first, most), at least 0; those of missing values and of zero have a number of their own.
struct RankCodes {
  uint32_t first = 0, most = 0, nan = 0, zero = 0;
};
void NarrowRanks(const uint32_t* ranks, size_t rows, const RankCodes& codes, uint16_t* out);

/// A plane is one bit of each of kPlaneRows rows: row r is bit r % 8 of byte r / 8. Its rows are used in steps of kRowStep, the first ones first.
constexpr size_t kPlaneRows = 1024, kPlaneBytes = kPlaneRows / 8, kRowStep = 512;

/// The lowest `bits` bits of the rows' numbers, each as a plane.
void SlicePlanes(const uint16_t* numbers, size_t bits, size_t rows, uint8_t* planes);

/// Planes by number: out = select ? one : zero, bit by bit.
struct Gate {
  uint16_t select = 0, zero = 0, one = 0, out = 0;
};
void RunGates(const Gate* gates, size_t count, size_t rows, uint8_t* planes);

/// The numbers whose bits, at most 8, stand in planes.
void JoinPlanes(const uint8_t* planes, const uint32_t* bits, size_t count, size_t rows, uint8_t* numbers);

/// Values by number, padded to a multiple of 64. Up to kMostByteValues of them are padded to 64, 128 or 256 and stand twice: whole, and byte by
/// byte: `[sizeof(T)][padded]`.
constexpr size_t kMostByteValues = 256;
template <typename T>
struct Table {
  const T* values = nullptr;
  const uint8_t* bytes = nullptr;
  size_t count = 0;
};

/// sums[row] += the value of the row's number; `high`: the numbers' upper halves, or null.
void AddGathered(const Table<double>& table, const uint8_t* numbers, const uint8_t* high, size_t rows, double* sums);
void AddGathered(const Table<float>& table, const uint8_t* numbers, const uint8_t* high, size_t rows, float* sums);

/// For measurements: only vectors of this kind and narrower ones ("AVX3_DL", "AVX3", "AVX2", "SSE4", "SSSE3", "SCALAR"). False: this machine has no such.
bool LimitVectors(std::string_view target);

}  // namespace slipway::model
