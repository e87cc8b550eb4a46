#include "model/forest/forest.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <limits>
#include <random>

namespace slipway::model {
namespace {

using Missing = Forest::Missing;

bool GoesLeft(const Forest::Split& split, double value) {
  if (std::isnan(value)) {
    if (split.nan != Missing::kNever) return split.nan == Missing::kLeft;
    value = 0;
  }
  if (value == 0 && split.zero != Missing::kNever) return split.zero == Missing::kLeft;
  return value <= split.threshold;
}

int LeafOf(const std::vector<Forest::Node>& tree, const std::vector<double>& row) {
  int at = tree.empty() ? ~0 : 0;
  while (at >= 0) {
    const auto& node = tree[static_cast<size_t>(at)];
    at = GoesLeft(node.split, row[static_cast<size_t>(node.split.feature)]) ? node.left : node.right;
  }
  return ~at;
}

constexpr size_t kFeatures = 5;

/// A tree of some shape: a leaf is split again and again; deep on one side where `chain`.
std::vector<Forest::Node> RandomTree(std::mt19937& random, int leaves, bool chain) {
  std::vector<Forest::Node> nodes;
  std::vector<int*> open;
  int next_leaf = 0;
  auto make = [&] {
    Forest::Split split{static_cast<int>(random() % kFeatures), static_cast<double>(static_cast<int>(random() % 2000) - 1000) / 8};
    auto missing = [&] { return static_cast<Missing>(random() % 3); };
    split.nan = missing();
    split.zero = split.nan != Missing::kNever && random() % 2 == 0 ? split.nan : Missing::kNever;
    nodes.push_back({split, 0, 0});
  };
  std::vector<std::pair<size_t, bool>> ends;
  make();
  ends = {{0, true}, {0, false}};
  while (static_cast<int>(ends.size()) < leaves) {
    auto pick = chain ? ends.size() - 1 : random() % ends.size();
    auto [node, left] = ends[pick];
    ends.erase(ends.begin() + static_cast<std::ptrdiff_t>(pick));
    auto child = nodes.size();
    make();
    (left ? nodes[node].left : nodes[node].right) = static_cast<int>(child);
    ends.insert(ends.end(), {{child, true}, {child, false}});
  }
  for (auto [node, left] : ends) (left ? nodes[node].left : nodes[node].right) = ~next_leaf++;
  return nodes;
}

/// Thresholds, their neighbours, and the numbers that are special.
double RandomValue(std::mt19937& random) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double threshold = static_cast<double>(static_cast<int>(random() % 2000) - 1000) / 8;
  switch (random() % 8) {
    case 0: return std::numeric_limits<double>::quiet_NaN();
    case 1: return random() % 2 == 0 ? 0.0 : -0.0;
    case 2: return random() % 2 == 0 ? kInfinity : -kInfinity;
    case 3: return std::nextafter(threshold, kInfinity);
    case 4: return std::nextafter(threshold, -kInfinity);
    case 5: return std::numeric_limits<double>::denorm_min();
    default: return threshold;
  }
}

/// Every vector width that this machine has gives each row the leaf that a walk gives it, and the sums in the order of the trees.
TEST(Forest, EveryTargetEqualsTheWalk) {
  std::mt19937 random(20261124);
  std::vector<std::vector<Forest::Node>> trees{{}};
  for (int leaves : {2, 3, 7, 31, 64, 255, 256}) trees.push_back(RandomTree(random, leaves, false));
  for (int leaves : {40, 256}) trees.push_back(RandomTree(random, leaves, true));
  for (int i = 0; i < 60; ++i) trees.push_back(RandomTree(random, 63, i % 2 == 0));
  Forest forest;
  std::vector<std::vector<double>> values;
  for (const auto& tree : trees) {
    forest.AddTree(tree);
    auto& leaves = values.emplace_back(tree.size() + 1);
    for (auto& leaf : leaves) leaf = std::ldexp(static_cast<double>(random()), -static_cast<int>(random() % 40));
  }
  forest.Prepare();
  EXPECT_GT(forest.columns(), kFeatures * 5) << "more than 254 thresholds of a feature take further columns";
  for (auto target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    for (size_t rows : {size_t{1}, size_t{7}, size_t{63}, size_t{500}, Forest::kBlock}) {
      std::vector<std::vector<double>> columns(kFeatures, std::vector<double>(rows));
      for (auto& column : columns)
        for (auto& value : column) value = RandomValue(random);
      std::vector<const double*> features;
      for (const auto& column : columns) features.push_back(column.data());
      Forest::Scratch scratch;
      forest.Rank(features, rows, scratch);
      std::vector<double> sums(Forest::kBlock, 0.0), expected(rows, 0.0);
      for (size_t t = 0; t < trees.size(); ++t) {
        forest.AddLeaves(t, values[t].data(), rows, scratch, sums.data());
        for (size_t row = 0; row < rows; ++row) {
          std::vector<double> one;
          for (const auto& column : columns) one.push_back(column[row]);
          expected[row] += values[t][static_cast<size_t>(LeafOf(trees[t], one))];
        }
      }
      for (size_t row = 0; row < rows; ++row)
        ASSERT_EQ(sums[row], expected[row]) << hwy::TargetName(target) << ", row " << row << " of " << rows;
    }
  }
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace
}  // namespace slipway::model
