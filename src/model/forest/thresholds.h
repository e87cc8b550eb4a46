#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace slipway::model {

constexpr size_t kRankPadding = 256;

/// The first steps of a binary search: thresholds that part all of them into up to kRankPadding blocks, in the order of
/// a heap (Eytzinger): below node k come 2k and 2k + 1. `thresholds` are `count`: a power of two, or a multiple of
/// kRankPadding.
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

/// The range of the thresholds as cells of one width, where they are spread so evenly that few share a cell: one look
/// then says where a value lies but for `fullest` compares. Exact, for a value's cell never falls when the value rises:
/// thresholds of lower cells are below it, of higher ones above.
template <typename T>
struct Grid {
  static constexpr size_t kFewest = 16, kMost = 8,
                          kCells = 8192;  ///< thresholds of a grid at least; of a cell at most; cells at most
  T low = 0, cells_per_unit = 0, last = 0;
  size_t fullest = 0;            ///< how many thresholds the fullest cell has; 0: no grid
  std::vector<uint32_t> before;  ///< how many thresholds lie in the cells before each cell

  Grid() = default;
  Grid(const T* thresholds, size_t count) {
    if (count < kFewest) return;
    const size_t cells = std::min(kCells, std::bit_ceil(4 * count));
    low = thresholds[0], last = static_cast<T>(cells - 1),
    cells_per_unit = static_cast<T>(cells) / (thresholds[count - 1] - low);
    if (!std::isfinite(low) || !std::isnormal(cells_per_unit)) return;
    before.resize(cells + 1);
    for (size_t i = 0; i < count; ++i)
      ++before[static_cast<size_t>(std::clamp((thresholds[i] - low) * cells_per_unit, T{0}, last)) + 1];
    auto in_fullest = static_cast<size_t>(std::ranges::max(before));
    std::partial_sum(before.begin(), before.end(), before.begin());
    if (in_fullest <= kMost &&
        in_fullest < static_cast<size_t>(std::bit_width(count)))  // else a search takes fewer compares
      fullest = in_fullest;
    else
      before = {};
  }
};

/// A feature's thresholds and two ways to find a value among them: the kernels choose. `values` are sorted, with
/// infinities behind the last.
template <typename T>
struct Thresholds {
  std::vector<T> values;
  Pivots<T> pivots;
  Grid<T> grid;

  Thresholds() = default;
  explicit Thresholds(std::vector<T> sorted) : values(std::move(sorted)) {
    const size_t count = values.size(),
                 padded = std::min(std::bit_ceil(count + 1), (count / kRankPadding + 1) * kRankPadding);
    values.resize(padded + Grid<T>::kMost, std::numeric_limits<T>::infinity());
    pivots = {values.data(), padded};
    grid = {values.data(), count};
  }
};

}  // namespace slipway::model
