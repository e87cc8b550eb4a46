// The scalar reference of tree evaluation, as include/LightGBM/tree.h and gbdt_prediction.cpp do it: one row at a time,
// trees in order, sums in double. A faster engine is measured against this one, bit for bit.

#include <cmath>

#include "model/lightgbm/text_model.h"

namespace slipway::model {
namespace {

constexpr double kZeroThreshold = 1e-35f;  // the float, as LightGBM has it
constexpr int kCategorical = 1, kDefaultLeft = 2, kMissingZero = 1, kMissingNaN = 2;

bool IsZero(double value) { return value >= -kZeroThreshold && value <= kZeroThreshold; }

bool GoesLeftByCategory(const LightGbmTree& tree, double value, size_t node) {
  // LightGBM casts to int: beyond its range the result is INT_MIN on x86, so negative, so right.
  if (std::isnan(value) || value <= -1 || value >= 2147483648.0) return false;
  auto category = static_cast<uint32_t>(value);
  auto split = static_cast<size_t>(tree.threshold[node]);
  auto word = static_cast<size_t>(tree.cat_boundaries[split]) + category / 32;
  return word < static_cast<size_t>(tree.cat_boundaries[split + 1]) && ((tree.cat_threshold[word] >> (category % 32)) & 1) != 0;
}

bool GoesLeft(const LightGbmTree& tree, double value, size_t node) {
  int type = tree.decision_type[node];
  if ((type & kCategorical) != 0) return GoesLeftByCategory(tree, value, node);
  int missing = (type >> 2) & 3;
  if (std::isnan(value) && missing != kMissingNaN) value = 0;
  if ((missing == kMissingZero && IsZero(value)) || (missing == kMissingNaN && std::isnan(value))) return (type & kDefaultLeft) != 0;
  return value <= tree.threshold[node];
}

size_t LeafOf(const LightGbmTree& tree, const double* features) {
  int node = tree.num_leaves > 1 ? 0 : ~0;
  while (node >= 0) {
    auto n = static_cast<size_t>(node);
    node = GoesLeft(tree, features[tree.split_feature[n]], n) ? tree.left_child[n] : tree.right_child[n];
  }
  return static_cast<size_t>(~node);
}

double PredictTree(const LightGbmTree& tree, const double* features) {
  auto leaf = LeafOf(tree, features);
  if (!tree.is_linear) return tree.leaf_value[leaf];
  double output = tree.leaf_const[leaf];
  for (size_t i = 0; i < tree.leaf_features[leaf].size(); ++i) {
    double value = features[tree.leaf_features[leaf][i]];
    if (std::isnan(value)) return tree.leaf_value[leaf];
    output += tree.leaf_coeff[leaf][i] * value;
  }
  return output;
}

void Softmax(double* output, int count) {
  double largest = output[0];
  for (int i = 1; i < count; ++i) largest = std::max(output[i], largest);
  double sum = 0;
  for (int i = 0; i < count; ++i) {
    output[i] = std::exp(output[i] - largest);
    sum += output[i];
  }
  for (int i = 0; i < count; ++i) output[i] /= sum;
}

}  // namespace

void Predict(const LightGbmText& model, const double* features, double* output) {
  int count = model.num_tree_per_iteration;
  auto outputs = static_cast<size_t>(count);
  for (size_t k = 0; k < outputs; ++k) output[k] = 0;
  for (size_t t = 0; t < model.trees.size(); ++t) output[t % outputs] += PredictTree(model.trees[t], features);
  Convert(model, output);
}

void Convert(const LightGbmText& model, double* output) {
  int count = model.num_tree_per_iteration;
  auto outputs = static_cast<size_t>(count);
  if (model.average_output) {
    auto iterations = static_cast<double>(model.trees.size() / outputs);
    for (size_t k = 0; k < outputs; ++k) output[k] /= iterations;
  }
  switch (model.objective) {
    case Objective::kIdentity: return;
    case Objective::kSoftmax: return Softmax(output, count);
    case Objective::kSigmoid: output[0] = 1.0f / (1.0f + std::exp(-model.sigmoid * output[0])); return;
    case Objective::kSigmoidPerClass:
      for (size_t k = 0; k < outputs; ++k) output[k] = 1.0f / (1.0f + std::exp(-model.sigmoid * output[k]));
      return;
    case Objective::kExp: output[0] = std::exp(output[0]); return;
    case Objective::kLogOnePlusExp: output[0] = std::log1p(std::exp(output[0])); return;
    case Objective::kSignedSquare: output[0] = ((output[0] > 0) - (output[0] < 0)) * output[0] * output[0]; return;
  }
}

}  // namespace slipway::model
