#include "model/forest/forest.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "model/forest/kernels.h"

namespace slipway::model {
namespace {

constexpr size_t kThresholdsPerColumn = 254;  // ranks 0 to 254 or more; 255 is behind them all

/// How many slots a subtree needs at once (Sethi and Ullman): the hungrier child is evaluated first.
int Need(const std::vector<Forest::Node>& nodes, int node, std::vector<int>& needs) {
  if (node < 0) return 0;
  auto& need = needs[static_cast<size_t>(node)];
  if (need == 0) {
    const auto& n = nodes[static_cast<size_t>(node)];
    int left = Need(nodes, n.left, needs), right = Need(nodes, n.right, needs);
    need = std::max({1, left == right ? left + 1 : std::max(left, right)});
  }
  return need;
}

}  // namespace

size_t Forest::AddTree(const std::vector<Node>& nodes) {
  for (const auto& node : nodes) {
    auto feature = static_cast<size_t>(node.split.feature);
    if (thresholds_.size() <= feature) thresholds_.resize(feature + 1);
    thresholds_[feature].push_back(node.split.threshold);
  }
  trees_.push_back({nodes, {}});
  return trees_.size() - 1;
}

void Forest::Prepare() {
  for (auto& thresholds : thresholds_) {
    std::ranges::sort(thresholds);
    thresholds.erase(std::unique(thresholds.begin(), thresholds.end()), thresholds.end());
  }
  for (auto& tree : trees_) {
    if (tree.nodes.empty()) continue;
    std::vector<uint8_t> free;
    for (int slot = 63; slot >= 0; --slot) free.push_back(static_cast<uint8_t>(slot));
    Emit(tree, 0, free);
    tree.nodes.clear();
    tree.nodes.shrink_to_fit();
  }
}

/// The column and the threshold of a node; the column is made where there is none yet.
std::pair<uint32_t, uint8_t> Forest::Place(const Node& node) {
  const auto& split = node.split;
  const auto& sorted = thresholds_[static_cast<size_t>(split.feature)];
  auto index = static_cast<size_t>(std::ranges::lower_bound(sorted, split.threshold) - sorted.begin());
  Column wanted{split.feature, split.nan, split.zero, index / kThresholdsPerColumn * kThresholdsPerColumn};
  auto [found, is_new] = places_.try_emplace(wanted, static_cast<uint32_t>(columns_.size()));
  if (is_new) columns_.push_back(wanted);
  return {found->second, static_cast<uint8_t>(index - wanted.first)};
}

/// Appends the steps of a subtree; the slot that holds which leaf each row reaches.
uint8_t Forest::Emit(Tree& tree, int root, std::vector<uint8_t>& free) {
  std::vector<int> needs(tree.nodes.size());
  Need(tree.nodes, root, needs);
  auto emit = [&](auto& self, int index) -> uint8_t {
    const auto& node = tree.nodes[static_cast<size_t>(index)];
    Step step;
    std::tie(step.column, step.threshold) = Place(node);
    auto child = [&](int to, bool& is_leaf, uint8_t& value) {
      is_leaf = to < 0;
      value = is_leaf ? static_cast<uint8_t>(~to) : self(self, to);
    };
    if (Need(tree.nodes, node.left, needs) >= Need(tree.nodes, node.right, needs)) {
      child(node.left, step.left_is_leaf, step.left);
      child(node.right, step.right_is_leaf, step.right);
    } else {
      child(node.right, step.right_is_leaf, step.right);
      child(node.left, step.left_is_leaf, step.left);
    }
    if (!step.left_is_leaf) free.push_back(step.left);
    if (!step.right_is_leaf) free.push_back(step.right);
    step.out = free.back();
    free.pop_back();
    tree.steps.push_back(step);
    return step.out;
  };
  return emit(emit, root);
}

void Forest::Rank(const std::vector<const double*>& features, size_t rows, Scratch& scratch) const {
  scratch.ranks.resize(columns_.size() * kBlock);
  scratch.slots.resize(64 * kBlock);
  scratch.leaves.resize(kBlock);
  std::vector<uint32_t> ranks(kBlock);
  int ranked = -1;
  int zero_rank = 0;
  for (size_t c = 0; c < columns_.size(); ++c) {
    const auto& column = columns_[c];
    const double* values = features[static_cast<size_t>(column.feature)];
    uint8_t* out = scratch.ranks.data() + c * kBlock;
    const auto& sorted = thresholds_[static_cast<size_t>(column.feature)];
    if (ranked != column.feature) {
      RankValues(sorted.data(), sorted.size(), values, rows, ranks.data());
      zero_rank = static_cast<int>(std::ranges::lower_bound(sorted, 0.0) - sorted.begin());
      ranked = column.feature;
    }
    auto first = static_cast<int>(column.first);
    auto byte = [&](int rank) { return static_cast<uint8_t>(std::clamp(rank - first, 0, 255)); };
    auto of_missing = [&](Missing missing) {
      return missing == Missing::kLeft ? uint8_t{0} : missing == Missing::kRight ? uint8_t{255} : byte(zero_rank);
    };
    uint8_t of_nan = of_missing(column.nan), of_zero = of_missing(column.zero);
    for (size_t row = 0; row < rows; ++row)
      out[row] = std::isnan(values[row]) ? of_nan : values[row] == 0 ? of_zero : byte(static_cast<int>(ranks[row]));
  }
}

void Forest::AddLeaves(size_t index, const double* values, size_t rows, Scratch& scratch, double* sums) const {
  const auto& tree = trees_[index];
  if (tree.steps.empty()) {
    for (size_t row = 0; row < rows; ++row) sums[row] += values[0];
    return;
  }
  const uint8_t* leaves = RunSteps(tree.steps.data(), tree.steps.size(), scratch.ranks.data(), scratch.slots.data());
  AddGathered(values, leaves, rows, sums);
}

}  // namespace slipway::model
