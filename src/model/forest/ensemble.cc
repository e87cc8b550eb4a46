#include "model/forest/ensemble.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"

namespace slipway::model {
namespace {

constexpr size_t kMostTrees = 1'000'000, kMostLeaves = size_t{1} << 24, kMostFeatures = 1'000'000,
                 kMostOutputs = 100'000;

/// Every node and every leaf is reached from the root exactly once.
Result<> CheckShape(const Tree& tree, size_t leaves) {
  std::vector<bool> node_seen(tree.nodes.size()), leaf_seen(leaves);
  std::vector<int32_t> open{tree.nodes.empty() ? ~0 : 0};
  size_t reached = 0;
  while (!open.empty()) {
    auto at = open.back();
    open.pop_back();
    bool is_leaf = at < 0;
    auto index = static_cast<size_t>(is_leaf ? ~at : at);
    auto& seen = is_leaf ? leaf_seen : node_seen;
    if (index >= seen.size())
      return Fail(ErrorKind::kCorrupt, "a child is {} {}, which is not there", is_leaf ? "leaf" : "node", index);
    if (seen[index]) return Fail(ErrorKind::kCorrupt, "{} {} is reached twice", is_leaf ? "leaf" : "node", index);
    seen[index] = true;
    ++reached;
    if (is_leaf) continue;
    open.push_back(tree.nodes[index].left);
    open.push_back(tree.nodes[index].right);
  }
  if (reached != tree.nodes.size() + leaves)
    return Fail(ErrorKind::kCorrupt, "some of its nodes or leaves are never reached");
  return {};
}

enum class Kind : uint8_t { kUnknown, kOrder, kCategory };

Result<> CheckTree(const Ensemble& ensemble, const Tree& tree, std::vector<Kind>& kinds) {
  if (tree.width < 1 || tree.output > ensemble.outputs || tree.width > ensemble.outputs - tree.output)
    return Fail(ErrorKind::kCorrupt, "adds to an output that is not there");
  auto leaves = tree.leaves.size() / tree.width;
  if (tree.leaves.empty() || tree.leaves.size() % tree.width != 0 || leaves > kMostLeaves)
    return Fail(ErrorKind::kCorrupt, "has {} leaf values for {} outputs", tree.leaves.size(), tree.width);
  TRY(CheckShape(tree, leaves));
  for (const auto& node : tree.nodes) {
    const auto& split = node.split;
    if (split.feature >= ensemble.features)
      return Fail(ErrorKind::kCorrupt, "splits on feature {}, which is not there", split.feature);
    auto kind = split.categories < 0 ? Kind::kOrder : Kind::kCategory;
    if (kind == Kind::kCategory && static_cast<size_t>(split.categories) >= ensemble.category_sets.size())
      return Fail(ErrorKind::kCorrupt, "names a set of categories that is not there");
    if (kind == Kind::kOrder && std::isnan(split.threshold))
      return Fail(ErrorKind::kCorrupt, "has a threshold that is not a number");
    auto& known = kinds[split.feature];
    if (known != Kind::kUnknown && known != kind)
      return Fail(ErrorKind::kCorrupt, "splits feature {} by category where another does it by order, or the reverse",
                  split.feature);
    known = kind;
  }
  if (!tree.linear.empty() && (tree.linear.size() != leaves || tree.width != 1))
    return Fail(ErrorKind::kCorrupt, "has too few linear leaves");
  if (!tree.covers.empty() && tree.covers.size() != leaves)
    return Fail(ErrorKind::kCorrupt, "has {} covers for {} leaves", tree.covers.size(), leaves);
  if (std::ranges::any_of(tree.covers, [](double cover) { return !(cover >= 0) || std::isinf(cover); }))
    return Fail(ErrorKind::kCorrupt, "has a leaf whose cover is negative or not a number");
  for (const auto& leaf : tree.linear)
    if (leaf.features.size() != leaf.coefficients.size() ||
        std::ranges::any_of(leaf.features, [&](uint32_t feature) { return feature >= ensemble.features; }))
      return Fail(ErrorKind::kCorrupt, "has a linear leaf over features that are not there");
  return {};
}

}  // namespace

std::vector<double> SumsBelow(const Tree& tree, const std::vector<double>& of_leaf) {
  std::vector<int32_t> order;  // parents first
  if (!tree.nodes.empty()) order.push_back(0);
  for (size_t i = 0; i < order.size(); ++i) {
    const auto& node = tree.nodes[static_cast<size_t>(order[i])];
    for (auto child : {node.left, node.right})
      if (child >= 0) order.push_back(child);
  }
  std::vector<double> sums(tree.nodes.size());
  for (auto at = order.rbegin(); at != order.rend(); ++at) {
    const auto& node = tree.nodes[static_cast<size_t>(*at)];
    for (auto child : {node.left, node.right})
      sums[static_cast<size_t>(*at)] +=
          child < 0 ? of_leaf[static_cast<size_t>(~child)] : sums[static_cast<size_t>(child)];
  }
  return sums;
}

Result<> Check(const Ensemble& ensemble) {
  if (ensemble.trees.size() > kMostTrees)
    return Fail(ErrorKind::kUnsupported, "{} trees; at most {} are read", ensemble.trees.size(), kMostTrees);
  if (ensemble.features < 1 || ensemble.features > kMostFeatures)
    return Fail(ErrorKind::kUnsupported, "{} features", ensemble.features);
  if (ensemble.outputs < 1 || ensemble.outputs > kMostOutputs)
    return Fail(ErrorKind::kUnsupported, "{} outputs", ensemble.outputs);
  if (ensemble.base.size() != ensemble.outputs)
    return Fail(ErrorKind::kCorrupt, "{} base scores for {} outputs", ensemble.base.size(), ensemble.outputs);
  std::vector<Kind> kinds(ensemble.features, Kind::kUnknown);
  for (size_t t = 0; t < ensemble.trees.size(); ++t)
    TRY(Wrap(CheckTree(ensemble, ensemble.trees[t], kinds), fmt::format("tree {}", t)));
  return {};
}

}  // namespace slipway::model
