#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/forest/columns.h"

namespace slipway::model {

/// The other way through a tree, row by row from the root: for trees too large to evaluate whole, and for few rows. Needs ranks of 16
/// bits row by row: `[rows, columns]`.
class Walk {
 public:
  /// Makes columns for the tree's splits and appends its sets of categories to `tables`.
  Walk(const Tree& tree, const Ranks& ranks, Columns& columns, std::vector<uint8_t>& tables);

  /// The leaf that was leaf_of_number[n] is n.
  void Renumber(const std::vector<uint16_t>& leaf_of_number);

  /// Which leaf each row reaches.
  void Leaves(const uint16_t* rows_of_ranks, size_t columns, size_t rows, const uint8_t* tables, uint32_t* leaves) const;

 private:
  /// Its children stand side by side; a leaf is its own left child, and everything goes left.
  struct Place {
    uint32_t column : 31 = 0, is_category : 1 = 0;
    uint32_t left = 0;
    uint32_t threshold = 0;  ///< of a category: where its set starts in the tables
  };
  template <bool kCategories>
  void LeavesOf(const uint16_t* rows_of_ranks, size_t columns, size_t rows, const uint8_t* tables, uint32_t* leaves) const;

  std::vector<Place> places_;
  std::vector<uint32_t> leaf_of_;  ///< of each place; of the leaves'
  bool has_categories_ = false;
};

}  // namespace slipway::model
