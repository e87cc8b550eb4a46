#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace slipway::model {

constexpr size_t kContributionBlock = 64, kContributionRows = 8;  ///< rows of a block, and of one step through a tree

constexpr size_t kMostLevels = 1024;  ///< of a tree

/// The way from a node to one of its children. A tree is its edges in the order of a walk that visits everything below
/// an edge before the next one.
struct ContributionEdge {
  uint32_t level = 0;    ///< edges above it
  int32_t earlier = -1;  ///< the level of the last edge above that asks the same feature
  uint32_t feature = 0, column = 0;
  uint32_t threshold = 0;  ///< left: the rank is at most this; of a category: where its set starts
  bool is_category = false, is_left = false;
  int32_t leaf = -1;  ///< -1: it goes to a node
};

/// For each edge and point five numbers: by what the product changes here for a row that goes this way at all edges of
/// the feature so far, at all but this one, and not at an earlier one; and what the sum of the leaves below is
/// multiplied by for the feature's contribution, for a row that does and for one that does not.
constexpr size_t kContributionFactors = 5;

struct ContributionTree {
  std::vector<ContributionEdge> edges;
  std::vector<double> factors;  ///< [edges, points, kContributionFactors]
  std::vector<double> leaves;   ///< [leaves, width]
  size_t points = 1, levels = 1;
  uint32_t output = 0, width = 1;
};

/// Adds what a tree contributes to kContributionRows rows: `[outputs, features, kContributionBlock]`. `numbers`: the
/// rank columns,
/// `[columns, kContributionBlock]`; `work`: aligned to 64 bytes, room for levels * (1 + 2 * points) * kContributionRows
/// numbers.
void AddContributions(const ContributionTree& tree, const uint16_t* numbers, const uint8_t* sets, size_t features,
                      double* work, double* out);

}  // namespace slipway::model
