#include "model/xgboost/model_file.h"

#include <gtest/gtest.h>

#include "model/forest/forest.h"

namespace slipway::model {
namespace {

/// A stump on the category 1, as XGBoost 1.7 writes it: the condition of a split by category is NaN, which is not JSON.
constexpr std::string_view kCategorical =
    R"({"learner": {"attributes": {}, "feature_names": ["NaN\"", "x"], "gradient_booster": {"model":
  {"gbtree_model_param": {"num_parallel_tree": "1", "num_trees": "1"}, "tree_info": [0], "trees": [{"categories": [1], "categories_nodes": [0],
   "categories_segments": [0], "categories_sizes": [1], "default_left": [1, 0, 0], "left_children": [1, -1, -1], "right_children": [2, -1, -1],
   "split_conditions": [NaN, 2.5, -3E0], "split_indices": [0, 0, 0], "split_type": [1, 0, 0],
   "tree_param": {"num_nodes": "3", "size_leaf_vector": "0"}}]}, "name": "gbtree"},
  "learner_model_param": {"base_score": "5E-1", "num_class": "0", "num_feature": "2", "num_target": "1"}, "objective": {"name": "reg:squarederror"}},
  "version": [1, 7, 6]})";

TEST(ParseXgboostFile, TakesNaNForASplitByCategory) {
  auto file = ParseXgboostFile(kCategorical, false);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->feature_names, (std::vector<std::string>{"NaN\"", "x"}));
  auto forest = Forest::Compile(std::move(file->ensemble));
  ASSERT_TRUE(forest) << forest.error().message;
  std::vector<double> category{0, 1, std::numeric_limits<double>::quiet_NaN(), 7}, x(4), sums(4);
  forest->Sum({{nullptr, category.data()}, {nullptr, x.data()}}, 4, *forest->TakeScratch(), sums.data(), 4);
  EXPECT_EQ(sums, (std::vector<double>{3, -2.5, 3, 3}))
      << "in the set goes right; missing by default, and others, go left";
}

TEST(ParseXgboostFile, HostileFilesAreRefused) {
  auto with = [](std::string_view from, std::string_view to) {
    std::string text(kCategorical);
    auto at = text.find(from);
    text.replace(at, from.size(), to);
    auto file = ParseXgboostFile(text, false);
    return file ? std::string("fine") : file.error().message;
  };
  EXPECT_EQ(with("\"left_children\": [1, -1, -1]", "\"left_children\": [0, -1, -1]"),
            "tree 0: node 0 has the child 0, which is not there or another's");
  EXPECT_EQ(with("\"right_children\": [2, -1, -1]", "\"right_children\": [9, -1, -1]"),
            "tree 0: node 0 has the child 9, which is not there or another's");
  EXPECT_EQ(with("\"split_indices\": [0, 0, 0]", "\"split_indices\": [5, 0, 0]"),
            "tree 0: splits on feature 5, which is not there");
  EXPECT_EQ(with("\"categories_sizes\": [1]", "\"categories_sizes\": [99]"), "tree 0: node 0 has no categories");
  EXPECT_EQ(with("\"tree_info\": [0]", "\"tree_info\": [3]"), "tree 0 adds to output 3");
  EXPECT_EQ(with("\"split_type\": [1, 0, 0]", "\"split_type\": [0, 0, 0]"),
            "tree 0: has a threshold that is not a number");
  EXPECT_EQ(with("gbtree\"}", "gblinear\"}"), "the booster 'gblinear'; gbtree and dart are read");
}

}  // namespace
}  // namespace slipway::model
