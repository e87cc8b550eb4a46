#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/forest/codes.h"
#include "model/forest/ensemble.h"

namespace slipway::model {

/// One tree of a LightGBM text model, with LightGBM's own fields (src/io/tree.cpp). Inner node n has children
/// `left_child[n]` and `right_child[n]`; a negative child c is the leaf ~c.
struct LightGbmTree {
  int num_leaves = 1;
  std::vector<int> split_feature, left_child, right_child;
  std::vector<double> threshold;      ///< of a categorical split: the index into cat_boundaries
  std::vector<int8_t> decision_type;  ///< bit 0 categorical, bit 1 default left, bits 2-3 missing: none, zero, NaN
  std::vector<double> leaf_value;
  std::vector<int> leaf_count;          ///< training rows; empty where the file has none
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
  size_t iterations = 0;
  std::vector<Categories> pandas_categorical;  ///< in the order of the columns of type category, which it does not tell
};

/// Reads a model that LightGBM wrote (version v3 or v4). Errors name the line or the tree. Whether the trees are trees
/// is not seen here, but by ToEnsemble.
Result<LightGbmText> ParseLightGbmText(std::string_view text);

/// Its trees in the form that Forest evaluates, checked (see Check). Sums are doubles, tree after tree, as in
/// LightGBM's gbdt_prediction.cpp. Takes the trees out of `model`.
Result<Ensemble> ToEnsemble(LightGbmText& model);

/// Raw sums `[num_tree_per_iteration]` become predictions, in place.
void Convert(const LightGbmText& model, double* output);

}  // namespace slipway::model
