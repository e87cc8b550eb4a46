#pragma once

#include <cstdint>
#include <vector>

#include "model/forest/program.h"

namespace slipway::model {

/// A tree of more leaves than a byte counts, as a top whose leaves are subtrees: all of them are evaluated whole, then each row takes its leaf from
/// the subtree that the top sends it to. Up to some thousand leaves that is faster than walking.
class Grove {
 public:
  static constexpr size_t kMostLeaves = 1536;
  static constexpr size_t kPartLeaves = kMostProgramLeaves;

  /// Empty where the tree has too many leaves, or too many subtrees.
  static Grove Of(const Tree& tree, const Ranks& ranks, Columns<uint8_t>& columns, std::vector<uint8_t>& tables);

  bool empty() const { return parts_.empty(); }
  size_t parts() const { return parts_.size(); }
  /// Where each leaf of the tree stands among part * kPartLeaves + leaf of the part.
  const std::vector<uint32_t>& place_of_leaf() const { return place_of_leaf_; }

  /// The place of the leaf that each row reaches. `results`: room for the leaf numbers of all parts.
  void Places(const StepMemory& memory, size_t rows, uint8_t* results, uint32_t* places) const;

 private:
  std::vector<Step> top_;
  std::vector<std::vector<Step>> parts_;  ///< without steps: one leaf
  std::vector<uint32_t> place_of_leaf_;
};

}  // namespace slipway::model
