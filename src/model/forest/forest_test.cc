#include "model/forest/forest.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace slipway::model {
namespace {

constexpr uint32_t kFeatures = 6, kCategoryFeature = 5;

/// Which leaf a row reaches, as the words of ensemble.h say it.
class Reference {
 public:
  explicit Reference(const Ensemble& ensemble) : e_(ensemble) {}

  size_t LeafOf(const Tree& tree, const std::vector<double>& row) const {
    int at = tree.nodes.empty() ? ~0 : 0;
    while (at >= 0) {
      const auto& node = tree.nodes[static_cast<size_t>(at)];
      at = GoesLeft(node.split, row[node.split.feature]) ? node.left : node.right;
    }
    return static_cast<size_t>(~at);
  }

  template <typename T>
  std::vector<T> Sums(const std::vector<double>& row) const {
    std::vector<T> sums(e_.base.begin(), e_.base.end());
    for (const auto& tree : e_.trees) {
      auto leaf = LeafOf(tree, row);
      for (size_t w = 0; w < tree.width; ++w)
        sums[tree.output + w] += static_cast<T>(tree.leaves[leaf * tree.width + w]);
    }
    return sums;
  }

 private:
  bool GoesLeft(const Split& split, double value) const {
    if (std::isnan(value)) {
      if (split.nan != Missing::kNever) return split.nan == Missing::kLeft;
      value = 0;
    }
    if (split.categories >= 0) {
      const auto& set = e_.category_sets[static_cast<size_t>(split.categories)];
      return value >= e_.least_category && value < 4294967296.0 &&
             std::ranges::find(set, static_cast<uint32_t>(std::max(value, 0.0))) != set.end();
    }
    if (std::fabs(value) <= e_.zero_band) {
      if (split.zero != Missing::kNever) return split.zero == Missing::kLeft;
      value = 0;
    }
    return value <= split.threshold;
  }

  const Ensemble& e_;
};

class Maker {
 public:
  Maker(uint32_t seed, uint32_t categories) : random(seed), categories_(categories) {}

  /// A tree of some shape: a leaf is split again and again; deep on one side where `chain`.
  Tree MakeTree(Ensemble& ensemble, size_t leaves, bool chain, uint32_t output, uint32_t width) {
    Tree tree;
    tree.output = output;
    tree.width = width;
    std::vector<std::pair<size_t, bool>> ends;
    auto grow = [&] {
      ends.emplace_back(tree.nodes.size(), true);
      ends.emplace_back(tree.nodes.size(), false);
      tree.nodes.push_back({MakeSplit(ensemble), 0, 0});
    };
    if (leaves > 1) grow();
    while (leaves > 1 && ends.size() < leaves) {
      auto pick = chain ? ends.size() - 1 : random() % ends.size();
      auto [node, left] = ends[pick];
      ends.erase(ends.begin() + static_cast<std::ptrdiff_t>(pick));
      (left ? tree.nodes[node].left : tree.nodes[node].right) = static_cast<int32_t>(tree.nodes.size());
      grow();
    }
    int32_t next = 0;
    for (auto [node, left] : ends) (left ? tree.nodes[node].left : tree.nodes[node].right) = ~next++;
    for (size_t i = 0; i < std::max<size_t>(leaves, 1) * width; ++i)
      tree.leaves.push_back(std::ldexp(static_cast<double>(random() % 1000) - 500, -static_cast<int>(random() % 40)));
    return tree;
  }

  /// Thresholds, their neighbours, and the numbers that are special.
  double Value(uint32_t feature) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (feature == kCategoryFeature && random() % 4 != 0)
      return static_cast<double>(random() % (categories_ + 9)) + (random() % 3) * 0.25;
    switch (random() % 9) {
      case 0: return std::numeric_limits<double>::quiet_NaN();
      case 1: return random() % 2 == 0 ? 0.0 : -0.0;
      case 2: return random() % 2 == 0 ? kInfinity : -kInfinity;
      case 3: return std::nextafter(Threshold(), kInfinity);
      case 4: return std::nextafter(Threshold(), -kInfinity);
      case 5: return random() % 2 == 0 ? std::numeric_limits<double>::denorm_min() : -1e-36;
      case 6: return -0.5;
      default: return Threshold();
    }
  }

  std::mt19937 random;

 private:
  double Threshold() {
    return (static_cast<double>(random() % 2000) - 1000) / 8 + 1e-9 * static_cast<double>(random() % 2);
  }

  Split MakeSplit(Ensemble& ensemble) {
    Split split{static_cast<uint32_t>(random() % kFeatures)};
    if (split.feature == kCategoryFeature) {
      split.categories = static_cast<int32_t>(ensemble.category_sets.size());
      auto& set = ensemble.category_sets.emplace_back();
      for (uint32_t c = 0; c < categories_; ++c)
        if (random() % 2 == 0) set.push_back(c);
      split.nan = random() % 2 == 0 ? Missing::kLeft : Missing::kRight;
      return split;
    }
    split.threshold = Threshold();
    split.nan = static_cast<Missing>(random() % 3);
    split.zero = split.nan != Missing::kNever && random() % 2 == 0 ? split.nan : Missing::kNever;
    return split;
  }

  uint32_t categories_;
};

Ensemble MakeEnsemble(Maker& maker, Precision sum) {
  Ensemble ensemble;
  ensemble.features = kFeatures;
  ensemble.outputs = 3;
  ensemble.sum = sum;
  ensemble.zero_band = 1e-35f;
  ensemble.base = {0.25, -3, 0};
  for (size_t leaves : {1, 2, 3, 7, 31, 64, 65, 100, 128, 129, 200, 255, 256, 257, 1000, 2000, 4096, 5000})
    for (bool chain : {false, true})
      ensemble.trees.push_back(maker.MakeTree(ensemble, leaves, chain, maker.random() % 3, 1));
  for (int i = 0; i < 60; ++i)
    ensemble.trees.push_back(maker.MakeTree(ensemble, 63, i % 2 == 0, maker.random() % 3, 1));
  for (size_t leaves : {5, 300}) ensemble.trees.push_back(maker.MakeTree(ensemble, leaves, false, 0, 3));
  return ensemble;
}

template <typename T>
void ExpectSums(const Ensemble& ensemble, const Forest& forest, Maker& maker, size_t rows, bool floats) {
  std::vector<std::vector<double>> doubles(kFeatures, std::vector<double>(rows));
  std::vector<std::vector<float>> singles(kFeatures, std::vector<float>(rows));
  std::vector<Values> features(kFeatures);
  for (uint32_t f = 0; f < kFeatures; ++f) {
    for (size_t row = 0; row < rows; ++row) {
      singles[f][row] = static_cast<float>(maker.Value(f));
      doubles[f][row] = floats ? static_cast<double>(singles[f][row]) : maker.Value(f);
    }
    features[f] = floats ? Values{singles[f].data(), nullptr} : Values{nullptr, doubles[f].data()};
  }
  std::vector<double> sums(ensemble.outputs * rows);
  auto scratch = forest.TakeScratch();
  forest.Sum(features, rows, *scratch, sums.data(), rows);
  Reference reference(ensemble);
  for (size_t row = 0; row < rows; ++row) {
    std::vector<double> one;
    for (const auto& column : doubles) one.push_back(column[row]);
    auto expected = reference.Sums<T>(one);
    for (size_t k = 0; k < ensemble.outputs; ++k)
      ASSERT_EQ(sums[k * rows + row], static_cast<double>(expected[k]))
          << "output " << k << " of row " << row << " of " << rows;
  }
}

/// Every vector width that this machine has gives each row the sums that a walk in the order of the trees gives it.
TEST(Forest, EveryTargetEqualsTheWalk) {
  for (uint32_t categories : {40u, 700u}) {
    Maker maker(20261124 + categories, categories);
    for (auto sum : {Precision::kDouble, Precision::kFloat}) {
      auto ensemble = MakeEnsemble(maker, sum);
      ASSERT_TRUE(Check(ensemble)) << Check(ensemble).error().message;
      for (auto target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        SCOPED_TRACE(hwy::TargetName(target));
        auto forest = Forest::Compile(ensemble);
        ASSERT_TRUE(forest) << forest.error().message;
        for (size_t rows : {size_t{1}, size_t{2}, size_t{7}, size_t{16}, size_t{17}, size_t{40}, size_t{41}, size_t{65},
                            size_t{513}, size_t{800}, forest->block() - 1, forest->block()}) {
          bool floats = maker.random() % 2 == 0;
          if (sum == Precision::kDouble)
            ExpectSums<double>(ensemble, *forest, maker, rows, floats);
          else
            ExpectSums<float>(ensemble, *forest, maker, rows, floats);
        }
      }
      hwy::SetSupportedTargetsForTest(0);
    }
  }
}

/// A tree without any split is one leaf, whatever stands beside it: also where no tree of a forest asks for any column.
TEST(Forest, TreesWithoutSplitsInCallsOfAnySize) {
  for (auto sum : {Precision::kDouble, Precision::kFloat})
    for (std::vector<size_t> leaves : {std::vector<size_t>{}, {1}, {1, 1, 1}, {1, 5, 1}, {5, 1}, {1, 5000}}) {
      Maker maker(7, 40);
      Ensemble ensemble{.features = kFeatures, .outputs = 3, .sum = sum, .base = {0.25, -3, 0}};
      for (size_t count : leaves)
        ensemble.trees.push_back(maker.MakeTree(ensemble, count, false, maker.random() % 3, 1));
      ASSERT_TRUE(Check(ensemble)) << Check(ensemble).error().message;
      for (auto target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        SCOPED_TRACE(hwy::TargetName(target));
        for (size_t rows : {1, 2, 3, 7, 16, 17, 40, 41}) {
          auto forest = Forest::Compile(ensemble);  // anew: room that a larger call made hides what a small one lacks
          ASSERT_TRUE(forest) << forest.error().message;
          if (sum == Precision::kDouble)
            ExpectSums<double>(ensemble, *forest, maker, rows, false);
          else
            ExpectSums<float>(ensemble, *forest, maker, rows, true);
        }
      }
      hwy::SetSupportedTargetsForTest(0);
    }
}

Ensemble OneTree(Tree tree) {
  Ensemble ensemble;
  ensemble.features = 2;
  ensemble.base = {0};
  ensemble.trees.push_back(std::move(tree));
  return ensemble;
}

TEST(Check, HostileTreesAreRefused) {
  auto kind = [](const Ensemble& ensemble) {
    auto checked = Check(ensemble);
    return checked ? std::string("fine") : checked.error().message;
  };
  EXPECT_EQ(kind(OneTree({{{{0, 1}, ~0, ~1}}, {1, 2}})), "fine");
  EXPECT_EQ(kind(OneTree({{{{0, 1}, 0, ~0}}, {1, 2}})), "tree 0: node 0 is reached twice");
  EXPECT_EQ(kind(OneTree({{{{0, 1}, ~0, ~7}}, {1, 2}})), "tree 0: a child is leaf 7, which is not there");
  EXPECT_EQ(kind(OneTree({{{{0, 1}, ~0, ~0}}, {1, 2}})), "tree 0: leaf 0 is reached twice");
  EXPECT_EQ(kind(OneTree({{{{9, 1}, ~0, ~1}}, {1, 2}})), "tree 0: splits on feature 9, which is not there");
  EXPECT_EQ(kind(OneTree({{{{0, std::nan("")}, ~0, ~1}}, {1, 2}})), "tree 0: has a threshold that is not a number");
  EXPECT_EQ(kind(OneTree({{{{0, 1}, ~0, ~1}}, {1, 2, 3}})), "tree 0: some of its nodes or leaves are never reached");
  EXPECT_EQ(kind(OneTree({{}, {}})), "tree 0: has 0 leaf values for 1 outputs");
}

}  // namespace
}  // namespace slipway::model
