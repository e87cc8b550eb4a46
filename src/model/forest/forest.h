#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace slipway::model {

/// Trees turned into columns of ranks and lists of compare-and-blend steps, so that whole trees are evaluated for many rows at once,
/// without branches: see README.md. What it says of a tree is exactly which leaf each row reaches; what leaves are worth, and in
/// which order they are summed, is the caller's.
///
/// A rank column is a byte for each row. A node sends a row left when its byte in the node's column is at most the node's threshold.
class Forest {
 public:
  static constexpr size_t kBlock = 512;       ///< rows that are evaluated together
  static constexpr size_t kMostLeaves = 256;  ///< of a tree: leaf numbers are bytes

  enum class Missing : uint8_t { kNever, kLeft, kRight };

  /// A split by order: left when value <= threshold; `nan`, and `zero` where it says so, go where missing values go.
  struct Split {
    int feature = 0;
    double threshold = 0;
    Missing nan = Missing::kNever;   ///< kNever: NaN counts as 0
    Missing zero = Missing::kNever;  ///< kNever: 0 is a value like others
  };
  /// A node of a tree as its library has it: children are nodes, or leaves (~leaf).
  struct Node {
    Split split;
    int left = 0, right = 0;
  };

  /// Adds a tree of at most kMostLeaves leaves, node 0 its root; its number. All trees come before Prepare.
  size_t AddTree(const std::vector<Node>& nodes);
  /// Lays out the columns; to be called once.
  void Prepare();

  /// Room for the ranks of a block.
  struct Scratch {
    std::vector<uint8_t> ranks, slots, leaves;
  };
  /// Ranks of up to kBlock rows; `features[f]` points to the block's values of feature f, NaN for missing.
  void Rank(const std::vector<const double*>& features, size_t rows, Scratch& scratch) const;
  /// Adds the value of the leaf that each row of the block reaches in a tree to `sums`; `values` by leaf number.
  void AddLeaves(size_t tree, const double* values, size_t rows, Scratch& scratch, double* sums) const;

  size_t trees() const { return trees_.size(); }
  size_t columns() const { return columns_.size(); }

  struct Step {
    uint32_t column = 0;
    uint8_t threshold = 0, out = 0;  ///< `out`: the slot of the result
    bool left_is_leaf = true, right_is_leaf = true;
    uint8_t left = 0, right = 0;  ///< leaf numbers, or slots
  };

 private:
  /// One column of bytes: the ranks among 254 thresholds of a feature, from `first` on, with one way to treat missing values.
  struct Column {
    int feature = 0;
    Missing nan = Missing::kNever, zero = Missing::kNever;
    size_t first = 0;
    auto operator<=>(const Column&) const = default;
  };
  struct Tree {
    std::vector<Node> nodes;  ///< until Prepare
    std::vector<Step> steps;
  };
  uint8_t Emit(Tree& tree, int node, std::vector<uint8_t>& free);
  std::pair<uint32_t, uint8_t> Place(const Node& node);
  std::vector<std::vector<double>> thresholds_;  ///< by feature, sorted, each once
  std::vector<Column> columns_;
  std::map<Column, uint32_t> places_;  ///< where each column stands
  std::vector<Tree> trees_;
};

}  // namespace slipway::model
