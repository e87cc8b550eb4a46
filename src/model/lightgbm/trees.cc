// A LightGBM tree as Forest takes it; what splits mean is told by include/LightGBM/tree.h.

#include <algorithm>
#include <cmath>

#include "model/lightgbm/text_model.h"

namespace slipway::model {
namespace {

constexpr int kCategorical = 1, kDefaultLeft = 2, kMissingZero = 1, kMissingNaN = 2;

/// The categories of a split's bit set.
std::vector<uint32_t> CategoriesOf(const LightGbmTree& tree, size_t split) {
  std::vector<uint32_t> categories;
  auto first = static_cast<size_t>(tree.cat_boundaries[split]),
       end = static_cast<size_t>(tree.cat_boundaries[split + 1]);
  for (size_t word = first; word < end; ++word)
    for (uint32_t bit = 0; bit < 32; ++bit)
      if (((tree.cat_threshold[word] >> bit) & 1) != 0)
        categories.push_back(static_cast<uint32_t>(word - first) * 32 + bit);
  return categories;
}

Split SplitOf(const LightGbmTree& tree, size_t node, Ensemble& ensemble) {
  int type = tree.decision_type[node];
  Split split{static_cast<uint32_t>(tree.split_feature[node])};
  if ((type & kCategorical) != 0) {
    split.nan = Missing::kRight;
    split.categories = static_cast<int32_t>(ensemble.category_sets.size());
    ensemble.category_sets.push_back(CategoriesOf(tree, static_cast<size_t>(tree.threshold[node])));
    return split;
  }
  split.threshold = tree.threshold[node];
  auto side = (type & kDefaultLeft) != 0 ? Missing::kLeft : Missing::kRight;
  int missing = (type >> 2) & 3;
  if (missing == kMissingZero) split.nan = split.zero = side;
  if (missing == kMissingNaN) split.nan = side;
  return split;
}

Tree TreeOf(LightGbmTree& from, uint32_t output, Ensemble& ensemble) {
  Tree tree;
  tree.output = output;
  for (size_t n = 0; n + 1 < static_cast<size_t>(from.num_leaves); ++n)
    tree.nodes.push_back({SplitOf(from, n, ensemble), from.left_child[n], from.right_child[n]});
  tree.leaves = std::move(from.leaf_value);
  if (std::ranges::all_of(from.leaf_count, [](int count) { return count >= 0; }))
    tree.covers.assign(from.leaf_count.begin(), from.leaf_count.end());
  for (size_t leaf = 0; from.is_linear && leaf < tree.leaves.size(); ++leaf)
    tree.linear.push_back({from.leaf_const[leaf],
                           {from.leaf_features[leaf].begin(), from.leaf_features[leaf].end()},
                           std::move(from.leaf_coeff[leaf])});
  return tree;
}

}  // namespace

Result<Ensemble> ToEnsemble(LightGbmText& model) {
  Ensemble ensemble;
  ensemble.features = static_cast<uint32_t>(model.feature_names.size());
  ensemble.outputs = static_cast<uint32_t>(model.num_tree_per_iteration);
  ensemble.base.assign(ensemble.outputs, 0.0);
  // LightGBM's row reader leaves out what is at most kZeroThreshold away from zero (src/c_api.cpp,
  // RowPairFunctionFromDenseMatric).
  ensemble.zero_band = 1e-35f;
  ensemble.least_category = std::nextafter(-1.0, 0.0);  // categories are cast to int: above -1 that is 0
  for (size_t t = 0; t < model.trees.size(); ++t)
    ensemble.trees.push_back(TreeOf(model.trees[t], static_cast<uint32_t>(t % ensemble.outputs), ensemble));
  model.trees.clear();
  TRY(Check(ensemble));
  return ensemble;
}

}  // namespace slipway::model
