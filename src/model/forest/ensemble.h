#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"

/// The one in-memory form of tree ensembles, which each library's loader fills and forest.h evaluates.
namespace slipway::model {

/// Where a split sends a kind of value; kNever: the value is like any other (NaN then counts as zero).
enum class Missing : uint8_t { kNever, kLeft, kRight };

enum class Precision : uint8_t { kFloat, kDouble };

/// Left when value <= threshold; or, with categories, when the value's category is in the set.
struct Split {
  uint32_t feature = 0;
  double threshold = 0;
  Missing nan = Missing::kNever;
  Missing zero = Missing::kNever;
  int32_t categories = -1;  ///< index into Ensemble::category_sets; such a split's `nan` is kLeft or kRight
};

/// Children are nodes of the same tree, or leaves (~leaf).
struct Node {
  Split split;
  int32_t left = 0, right = 0;
};

/// A leaf that is worth constant + Σ coefficient × value, added in this order; see Tree::linear.
struct LinearLeaf {
  double constant = 0;
  std::vector<uint32_t> features;
  std::vector<double> coefficients;
};

struct Tree {
  std::vector<Node> nodes;     ///< node 0 is the root; empty: one leaf
  std::vector<double> leaves;  ///< [leaves, width]
  std::vector<double>
      covers;  ///< [leaves] how many training rows, or what weight of them, reached each; empty: not known
  uint32_t output = 0, width = 1;  ///< leaves are added to the sums output … output + width - 1
  std::vector<LinearLeaf>
      linear;  ///< empty, or one for each leaf; `leaves` then stands in for rows that lack one of its values
};

/// Sums start with `base` and take each tree's leaf in the order of the trees, in the precision `sum`: the libraries'
/// own way, so that the sums have the libraries' own bits.
struct Ensemble {
  uint32_t features = 0, outputs = 1;
  Precision input = Precision::kDouble;  ///< kFloat: values are rounded to float32 before anything is compared
  Precision sum = Precision::kDouble;
  double zero_band = 0;       ///< values at most this far from zero are zero
  double least_category = 0;  ///< values below it are not categories; others are cut to whole numbers
  std::vector<double> base;   ///< [outputs]
  std::vector<std::vector<uint32_t>> category_sets;
  std::vector<Tree> trees;
};

/// For each node the sum of `of_leaf` over the leaves below it.
std::vector<double> SumsBelow(const Tree& tree, const std::vector<double>& of_leaf);

/// What no loader need check itself: every index stands, the nodes of a tree form one, no threshold is NaN, and sizes
/// are within limits. kCorrupt or kUnsupported, naming the tree. A feature is split by order or by category, not by
/// both.
Result<> Check(const Ensemble& ensemble);

}  // namespace slipway::model
