#include "model/forest/contributions.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "base/format.h"
#include "model/forest/vectors.h"

namespace slipway::model {
namespace {

struct Point {
  double at = 0, weight = 0;
};

/// Gauss and Legendre's rule on [0, 1]: exact for polynomials of a degree below 2 * count. Zeros by Newton's steps from
/// Chebyshev's (Press et al., gauleg).
std::vector<Point> GaussLegendre(size_t count) {
  std::vector<Point> points(count);
  auto n = static_cast<double>(count);
  for (size_t i = 0; i < count; ++i) {
    double x = std::cos(std::numbers::pi * (static_cast<double>(i) + 0.75) / (n + 0.5)), slope = 1;
    for (int step = 0; step < 50; ++step) {
      double value = 1, before = 0;
      for (double k = 1; k <= n; ++k) before = std::exchange(value, ((2 * k - 1) * x * value - (k - 1) * before) / k);
      slope = n * (x * value - before) / (x * x - 1);
      double change = value / slope;
      x -= change;
      if (std::fabs(change) < 1e-16) break;
    }
    points[i] = {(1 - x) / 2, 1 / ((1 - x * x) * slope * slope)};
  }
  return points;
}

double Share(double part, double whole) { return whole > 0 ? part / whole : 0; }

/// Makes a tree's edges, parents first, and their factors.
class TreeCompiler {
 public:
  TreeCompiler(const Tree& tree, const Ranks& ranks, Columns& columns, std::vector<uint8_t>& sets)
      : tree_(tree), ranks_(ranks), columns_(columns), sets_(sets), covers_(SumsBelow(tree, tree.covers)) {}

  Result<ContributionTree> Compile() {
    made_.output = tree_.output;
    made_.width = tree_.width;
    made_.leaves = tree_.leaves;
    struct Open {
      int32_t node;
      bool left;
      uint32_t level;
    };
    std::vector<Open> open{{0, false, 0}, {0, true, 0}};
    while (!open.empty()) {
      auto [at, left, level] = open.back();
      open.pop_back();
      if (level >= kMostLevels) return Fail(ErrorKind::kUnsupported, "is deeper than {} levels", kMostLevels);
      const auto& node = tree_.nodes[static_cast<size_t>(at)];
      auto child = left ? node.left : node.right;
      Add(at, child, left, level);
      if (child < 0) continue;
      open.push_back({child, false, level + 1});
      open.push_back({child, true, level + 1});
    }
    made_.points = (most_features_ + 1) / 2;
    SetFactors();
    return std::move(made_);
  }

 private:
  ContributionEdge Question(const Split& split) {
    ContributionEdge edge;
    edge.feature = split.feature;
    if (split.categories < 0) {
      auto place = columns_.OfOrder(split);
      edge.column = place.column;
      edge.threshold = place.threshold;
      return edge;
    }
    edge.is_category = true;
    edge.column = columns_.OfCategories(split.feature);
    edge.threshold = ranks_.AppendSet(split, sets_);
    return edge;
  }

  void Add(int32_t node, int32_t child, bool left, uint32_t level) {
    auto edge = Question(tree_.nodes[static_cast<size_t>(node)].split);
    edge.level = level;
    edge.is_left = left;
    edge.leaf = child < 0 ? ~child : -1;
    path_.resize(level);
    for (auto above = static_cast<int32_t>(level) - 1; above >= 0 && edge.earlier < 0; --above)
      if (made_.edges[path_[static_cast<size_t>(above)]].feature == edge.feature) edge.earlier = above;
    auto cover = child < 0 ? tree_.covers[static_cast<size_t>(~child)] : covers_[static_cast<size_t>(child)];
    auto share = Share(cover, covers_[static_cast<size_t>(node)]);
    earlier_.push_back(edge.earlier < 0 ? -1 : static_cast<int64_t>(path_[static_cast<size_t>(edge.earlier)]));
    shares_.push_back(edge.earlier < 0 ? share : share * shares_[static_cast<size_t>(earlier_.back())]);
    features_.push_back((level == 0 ? 0 : features_[path_[level - 1]]) + (edge.earlier < 0 ? 1 : 0));
    most_features_ = std::max(most_features_, features_.back());
    made_.levels = std::max(made_.levels, size_t{level} + 1);
    path_.push_back(made_.edges.size());
    made_.edges.push_back(edge);
  }

  void SetFactors() {
    auto points = GaussLegendre(made_.points);
    for (size_t e = 0; e < made_.edges.size(); ++e) {
      double share = shares_[e], before = earlier_[e] < 0 ? 1 : shares_[static_cast<size_t>(earlier_[e])];
      for (auto [at, weight] : points) {
        auto over = [](double value, double by) { return by > 0 ? value / by : 0; };
        double yes = share + at * (1 - share), no = share * (1 - at);
        double yes_before = before + at * (1 - before), no_before = earlier_[e] < 0 ? 1 : before * (1 - at);
        for (double factor : {over(yes, yes_before), over(no, yes_before), over(no, no_before),
                              over(weight * (1 - share), yes), over(-weight * share, no)})
          made_.factors.push_back(factor);
      }
    }
  }

  const Tree& tree_;
  const Ranks& ranks_;
  Columns& columns_;
  std::vector<uint8_t>& sets_;
  std::vector<double> covers_;    ///< how many training rows reached each node
  std::vector<size_t> path_;      ///< the edges from the root to the one at hand
  std::vector<int64_t> earlier_;  ///< of each edge; -1: none
  std::vector<double> shares_;    ///< of each edge, over all edges of its feature so far
  std::vector<size_t> features_;  ///< how many a way to an edge asks
  size_t most_features_ = 1;
  ContributionTree made_;
};

Result<> CheckCovers(const Tree& tree) {
  if (tree.nodes.empty()) return {};
  if (!tree.linear.empty())
    return Fail(ErrorKind::kUnsupported, "has linear leaves, for which there are no SHAP values");
  double total = 0;
  for (double cover : tree.covers) total += cover;
  if (tree.covers.size() * tree.width != tree.leaves.size() || !(total > 0))
    return Fail(ErrorKind::kUnsupported, "does not say how many training rows reached its leaves");
  return {};
}

}  // namespace

Contributions::Contributions(const Ensemble& ensemble)
    : features_(ensemble.features),
      outputs_(ensemble.outputs),
      ranks_(std::make_unique<Ranks>(ensemble)),
      columns_(std::make_unique<Columns>(*ranks_)),
      expected_(ensemble.base) {}

Result<Contributions> Contributions::Of(const Ensemble& ensemble) {
  Contributions contributions(ensemble);
  for (size_t t = 0; t < ensemble.trees.size(); ++t) {
    TRY(Wrap(CheckCovers(ensemble.trees[t]), fmt::format("tree {}", t)));
    TRY(Wrap(contributions.Add(ensemble.trees[t]), fmt::format("tree {}", t)));
  }
  return contributions;
}

Result<> Contributions::Add(const Tree& tree) {
  if (tree.nodes.empty()) {
    for (uint32_t w = 0; w < tree.width; ++w) expected_[tree.output + w] += tree.leaves[w];
    return {};
  }
  double total = 0;
  for (double cover : tree.covers) total += cover;
  for (uint32_t w = 0; w < tree.width; ++w) {
    double sum = 0;
    for (size_t leaf = 0; leaf < tree.covers.size(); ++leaf)
      sum += tree.covers[leaf] * tree.leaves[leaf * tree.width + w];
    expected_[tree.output + w] += sum / total;
  }
  ASSIGN(auto compiled, TreeCompiler(tree, *ranks_, *columns_, sets_).Compile());
  work_ = std::max(work_, compiled.levels * (1 + 2 * compiled.points) * kContributionRows);
  trees_.push_back(std::move(compiled));
  return {};
}

void Contributions::Compute(const std::vector<Values>& features, size_t rows, Scratch& scratch, double* out) const {
  scratch.ranks.resize(kContributionBlock + kVectorRows);
  scratch.numbers.resize(columns_->size() * kContributionBlock + kVectorRows);
  if (scratch.work == nullptr) scratch.work = hwy::AllocateAligned<double>(std::max<size_t>(work_, 1));
  columns_->Write(features, rows, scratch.ranks.data(), scratch.numbers.data(), kContributionBlock, 1);
  std::fill_n(out, size_t{outputs_} * features_ * kContributionBlock, 0.0);
  for (const auto& tree : trees_)
    for (size_t first = 0; first < rows; first += kContributionRows)
      AddContributions(tree, scratch.numbers.data() + first, sets_.data(), features_, scratch.work.get(), out + first);
}

}  // namespace slipway::model
