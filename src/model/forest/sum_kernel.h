#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// Leaf values are looked up and added. Buffers as vectors.h says.
namespace slipway::model {

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

}  // namespace slipway::model
