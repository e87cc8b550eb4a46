#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/forest/columns.h"

namespace slipway::model {

/// The other way through trees, from the root down: for those too large to evaluate whole, and for few rows. Needs
/// ranks of 16 bits row by row: `[rows, columns]`.
class Walks {
 public:
  /// Makes columns for the tree's splits and appends its sets of categories to the tables.
  void Add(const Tree& tree, const Ranks& ranks, Columns& columns);

  /// Of the last tree: the leaf that was leaf_of_number[n] is n.
  void Renumber(const std::vector<uint16_t>& leaf_of_number);

  /// Which leaf of one tree each row reaches.
  void Leaves(size_t tree, const uint16_t* ranks, size_t columns, size_t rows, uint32_t* leaves) const;

  /// Which leaf of each tree one row reaches: that of tree t at `leaves[t * stride]`.
  void LeavesOfAll(const uint16_t* ranks, uint32_t* leaves, size_t stride) const;

 private:
  /// Its children stand side by side; a leaf is its own left child, and everything goes left.
  struct Place {
    uint32_t column : 31 = 0, is_category : 1 = 0;
    uint32_t left = 0;
    uint32_t threshold = 0;  ///< of a category: where its set starts in the tables
  };
  template <bool kCategories>
  uint32_t Next(uint32_t at, const uint16_t* ranks) const;
  template <bool kCategories, typename Start, typename Reached>
  void Together(size_t count, Start&& start, Reached&& reached) const;

  std::vector<Place> places_;      ///< of all trees
  std::vector<uint32_t> leaf_of_;  ///< of each place that is a leaf its number; of others nothing
  std::vector<uint32_t> roots_;
  std::vector<uint8_t> tables_;
};

}  // namespace slipway::model
