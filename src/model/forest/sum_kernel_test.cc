#include "model/forest/sum_kernel.h"

#include <gtest/gtest.h>
#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "model/forest/each_target.h"
#include "model/forest/plane_kernel.h"
#include "model/forest/vectors.h"

namespace slipway::model {
namespace {

template <typename T>
using Buffer = hwy::AlignedFreeUniquePtr<T[]>;

/// A table of random values and numbers, and what it stands on.
template <typename T>
struct Made {
  Made(size_t count, std::mt19937& random) : count(count) {
    bool has_bytes = count <= kMostByteValues;
    auto padded =
        has_bytes ? std::max(kVectorRows, std::bit_ceil(count)) : (count + kVectorRows - 1) / kVectorRows * kVectorRows;
    values = hwy::AllocateAligned<T>(padded);
    bytes = hwy::AllocateAligned<uint8_t>(padded * sizeof(T));
    for (size_t i = 0; i < padded; ++i) {
      values[i] =
          i < count ? static_cast<T>(std::ldexp(static_cast<double>(random()), -static_cast<int>(random() % 60))) : T{};
      auto whole = std::bit_cast<std::array<uint8_t, sizeof(T)>>(values[i]);
      for (size_t byte = 0; byte < sizeof(T); ++byte) bytes[byte * padded + i] = whole[byte];
    }
    low = hwy::AllocateAligned<uint8_t>(kPlaneRows);
    high = hwy::AllocateAligned<uint8_t>(kPlaneRows);
    for (size_t row = 0; row < kPlaneRows; ++row) {
      auto number = random() % count;
      low[row] = static_cast<uint8_t>(number);
      high[row] = static_cast<uint8_t>(number >> 8);
    }
  }
  Table<T> AsTable() const { return {values.get(), bytes.get(), count, low.get(), count > 256 ? high.get() : nullptr}; }
  T ValueOf(size_t row) const { return values[low[row] | (count > 256 ? size_t{high[row]} << 8 : 0)]; }

  size_t count;
  Buffer<T> values;
  Buffer<uint8_t> bytes, low, high;
};

template <typename T>
void ExpectSums(const std::vector<size_t>& counts, size_t rows, std::mt19937& random) {
  std::vector<Made<T>> made;
  std::vector<Table<T>> tables;
  for (auto count : counts) made.emplace_back(count, random);
  for (const auto& one : made) tables.push_back(one.AsTable());
  WithEachTarget([&] {
    auto sums = hwy::AllocateAligned<T>(kPlaneRows);
    std::fill_n(sums.get(), kPlaneRows, T{0.25});
    AddGathered(std::span<const Table<T>>(tables), rows, sums.get());
    for (size_t row = 0; row < rows; ++row) {
      T expected = 0.25;
      for (const auto& one : made) expected += one.ValueOf(row);
      ASSERT_EQ(sums[row], expected) << "row " << row << " of " << rows << ", " << counts.size() << " tables of "
                                     << counts[0];
    }
  });
}

/// Sums have the order of the tables, and so the bits of a loop, however values are looked up.
TEST(AddGathered, EveryTargetEqualsALoop) {
  std::mt19937 random(4);
  for (size_t rows : {kRowStep, kPlaneRows}) {
    for (size_t count : {1, 2, 63, 64, 65, 128, 129, 255, 256, 257, 1000, 4096}) {
      ExpectSums<double>({count}, rows, random);
      ExpectSums<float>({count}, rows, random);
      ExpectSums<double>(std::vector<size_t>(6, count), rows, random);
      ExpectSums<float>(std::vector<size_t>(6, count), rows, random);
    }
    for (std::vector<size_t> counts : {std::vector<size_t>{300, 300, 300, 5, 300, 300, 300, 300},
                                       {256, 256, 256, 257, 256, 256},
                                       {70, 70, 70, 70, 4096, 4096, 4096, 4096, 3}}) {
      ExpectSums<double>(counts, rows, random);
      ExpectSums<float>(counts, rows, random);
    }
  }
}

}  // namespace
}  // namespace slipway::model
