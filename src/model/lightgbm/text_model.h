#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace slipway::model {

/// One tree of a LightGBM text model, with LightGBM's own fields (src/io/tree.cpp). Inner node n has children
/// `left_child[n]` and `right_child[n]`; a negative child c is the leaf ~c.
struct LightGbmTree {
  int num_leaves = 1;
  std::vector<int> split_feature, left_child, right_child;
  std::vector<double> threshold;      ///< of a categorical split: the index into cat_boundaries
  std::vector<int8_t> decision_type;  ///< bit 0 categorical, bit 1 default left, bits 2-3 missing: none, zero, NaN
  std::vector<double> leaf_value;
  std::vector<int> cat_boundaries;      ///< where each categorical split's words start in cat_threshold
  std::vector<uint32_t> cat_threshold;  ///< bit sets of the categories that go left
  bool is_linear = false;
  std::vector<double> leaf_const;
  std::vector<std::vector<int>> leaf_features;
  std::vector<std::vector<double>> leaf_coeff;
};

/// How raw scores become predictions (src/objective/*.hpp, ConvertOutput).
enum class Objective { kIdentity, kSigmoid, kSigmoidPerClass, kSoftmax, kExp, kLogOnePlusExp, kSignedSquare };

struct LightGbmText {
  int num_class = 1;
  int num_tree_per_iteration = 1;
  bool average_output = false;
  Objective objective = Objective::kIdentity;
  double sigmoid = 1;
  std::vector<std::string> feature_names;
  std::vector<std::string> feature_infos;  ///< "[min:max]", "0:1:2" for categories, "none"
  std::vector<LightGbmTree> trees;         ///< iteration by iteration, class by class
  /// The categories of each pandas column of type category, in the order of those columns, as JSON values' text.
  std::vector<std::vector<std::string>> pandas_categorical;
};

/// Reads a model that LightGBM wrote (version v3 or v4). Every index is checked, so that scoring cannot leave the arrays;
/// a tree with a cycle is kCorrupt. Errors name the line or the tree.
Result<LightGbmText> ParseLightGbmText(std::string_view text);

/// The prediction of one row: `features` in the model's order, NaN for missing; `output` is `[num_class]`. The sums are
/// LightGBM's own, in its order, so that results are equal to the last bit.
void Predict(const LightGbmText& model, const double* features, double* output);

/// Raw sums `[num_tree_per_iteration]` become predictions, in place.
void Convert(const LightGbmText& model, double* output);

}  // namespace slipway::model
