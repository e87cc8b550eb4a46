#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "model/forest/thresholds.h"

/// The inner loops, in the widest vectors that the machine has (Highway, chosen at run time). Buffers of bytes and sums
/// are aligned to 64 bytes, with room for whole vectors behind the last row.
namespace slipway::model {

constexpr size_t kVectorRows = 64;  ///< bytes of the widest vector

/// For each value the number of thresholds below it, or Ranks::kNaN; Ranks::kZero where the value is at most
/// `zero_band` from zero.
void RankFloats(const Thresholds<float>& thresholds, double zero_band, const float* values, size_t rows,
                uint32_t* ranks);
void RankDoubles(const Thresholds<double>& thresholds, double zero_band, const double* values, size_t rows,
                 uint32_t* ranks);

/// A rank becomes min(rank - first, most), at least 0; those of missing values and of zero have a number of their own.
struct RankCodes {
  uint32_t first = 0, most = 0, nan = 0, zero = 0;
};
void NarrowRanks(const uint32_t* ranks, size_t rows, const RankCodes& codes, uint16_t* out);

/// A plane is one bit of each of kPlaneRows rows. Its rows are used in steps of kRowStep, the first ones first; where a
/// row stands in its step is the business of SlicePlanes and JoinPlanes, and differs between kinds of vectors: row i *
/// V + k of 8 * V rows is bit i of byte k, V the bytes of a vector.
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

/// Values by number, padded to a multiple of 64, and the rows' numbers. Up to kMostByteValues of them are padded to 64,
/// 128 or 256 and stand twice: whole, and byte by byte: `[sizeof(T)][padded]`.
constexpr size_t kMostByteValues = 256;
template <typename T>
struct Table {
  const T* values = nullptr;
  const uint8_t* bytes = nullptr;
  size_t count = 0;
  const uint8_t *numbers = nullptr, *high = nullptr;  ///< high: the numbers' upper halves, or null
};

/// sums[row] += the value of the row's number, of one table after the other.
void AddGathered(std::span<const Table<double>> tables, size_t rows, double* sums);
void AddGathered(std::span<const Table<float>> tables, size_t rows, float* sums);

/// For measurements: only vectors of this kind and narrower ones ("AVX3_DL", "AVX3", "AVX2", "SSE4", "SSSE3",
/// "SCALAR"). False: this machine has no such.
bool LimitVectors(std::string_view target);

}  // namespace slipway::model
