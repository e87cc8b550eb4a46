#include "model/xgboost/model_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

#include "base/format.h"
#include "base/json.h"
#include "model/xgboost/ubjson.h"

namespace slipway::model {
namespace {

struct Objective {
  std::string_view name;
  Transform transform;
  enum class Base : uint8_t { kIdentity, kLogit, kLog } base;  ///< how a base score becomes a margin (ProbToMargin)
};
using Base = Objective::Base;
constexpr Objective kObjectives[] = {
    {"reg:squarederror", Transform::kIdentity, Base::kIdentity},
    {"reg:linear", Transform::kIdentity, Base::kIdentity},
    {"reg:squaredlogerror", Transform::kIdentity, Base::kIdentity},
    {"reg:pseudohubererror", Transform::kIdentity, Base::kIdentity},
    {"reg:absoluteerror", Transform::kIdentity, Base::kIdentity},
    {"reg:quantileerror", Transform::kIdentity, Base::kIdentity},
    {"reg:logistic", Transform::kSigmoid, Base::kLogit},
    {"binary:logistic", Transform::kSigmoid, Base::kLogit},
    {"binary:logitraw", Transform::kIdentity, Base::kIdentity},
    {"binary:hinge", Transform::kHinge, Base::kIdentity},
    {"count:poisson", Transform::kExp, Base::kLog},
    {"reg:gamma", Transform::kExp, Base::kLog},
    {"reg:tweedie", Transform::kExp, Base::kLog},
    {"survival:cox", Transform::kExp, Base::kLog},
    {"survival:aft", Transform::kExp, Base::kLog},
    {"rank:pairwise", Transform::kIdentity, Base::kIdentity},
    {"rank:ndcg", Transform::kIdentity, Base::kIdentity},
    {"rank:map", Transform::kIdentity, Base::kIdentity},
    {"multi:softmax", Transform::kArgmax, Base::kIdentity},
    {"multi:softprob", Transform::kSoftmax, Base::kIdentity},
};

/// Numbers stand as text in the parameters.
template <typename T>
Result<T> NumberIn(const JsonObject& object, std::string_view key, T fallback) {
  ASSIGN(auto text, object.String(key, ""));
  if (text.empty()) return fallback;
  T value{};
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size())
    return Fail(ErrorKind::kCorrupt, "{}: '{}' is '{}', not a number", object.where(), key, text);
  return value;
}

/// "5E-1", or since 3.1 "[1E-1,2E-1]".
Result<std::vector<float>> BaseScores(std::string text) {
  std::erase_if(text, [](char c) { return c == '[' || c == ']'; });
  std::vector<float> scores;
  for (const char *at = text.data(), *end = at + text.size(); at < end;) {
    float score = 0;
    auto [next, code] = std::from_chars(at, end, score);
    if (code != std::errc{} || (next != end && *next != ','))
      return Fail(ErrorKind::kCorrupt, "base_score is '{}'", text);
    scores.push_back(score);
    at = next + 1;
  }
  return scores;
}

constexpr std::string_view kNaN = "NaN", kInfinity = "Infinity", kMinusInfinity = "-Infinity";

bool IsNoNumber(std::string_view text) { return text == kNaN || text == kInfinity || text == kMinusInfinity; }

double NoNumber(std::string_view text) {
  if (text == kNaN) return std::numeric_limits<double>::quiet_NaN();
  return text == kInfinity ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
}

/// XGBoost writes NaN and Infinity into its JSON as they are, which is not JSON: they become strings.
std::string QuoteNoNumbers(std::string_view text) {
  std::string quoted;
  quoted.reserve(text.size());
  bool in_string = false;
  for (size_t at = 0; at < text.size();) {
    if (text[at] == '"') in_string = !in_string;
    if (in_string && text[at] == '\\' && at + 1 < text.size()) quoted += text[at++];
    std::string_view found;
    for (auto word : {kNaN, kMinusInfinity, kInfinity})
      if (!in_string && text.substr(at).starts_with(word)) found = word;
    if (found.empty()) {
      quoted += text[at++];
      continue;
    }
    quoted.append("\"").append(found).append("\"");
    at += found.size();
  }
  return quoted;
}

constexpr double kMostWhole = 9007199254740992.0;  // doubles are whole numbers up to there

template <typename T>
Result<std::vector<T>> Numbers(const JsonObject& object, std::string_view key) {
  ASSIGN(const auto* array, object.Array(key));
  std::vector<T> numbers;
  numbers.reserve(array->size());
  for (const auto& item : *array) {
    double value = 0;
    if (item.is_double())
      value = item.get_double();
    else if (item.is_int64())
      value = static_cast<double>(item.get_int64());
    else if (item.is_bool())
      value = item.get_bool() ? 1 : 0;
    else if (item.is_string() && std::is_floating_point_v<T> && IsNoNumber(item.get_string()))
      value = NoNumber(item.get_string());
    else
      return Fail(ErrorKind::kCorrupt, "{}: '{}' holds something that is not a number", object.where(), key);
    constexpr double kMost = sizeof(T) == 4 ? 2147483647.0 : kMostWhole;
    if (std::is_integral_v<T> && !(value >= -kMost && value <= kMost))
      return Fail(ErrorKind::kCorrupt, "{}: '{}' holds {}, which is out of range", object.where(), key, value);
    numbers.push_back(static_cast<T>(value));
  }
  return numbers;
}

template <typename T>
Result<std::vector<T>> NumbersIfAny(const JsonObject& object, std::string_view key) {
  if (object.Find(key) == nullptr) return std::vector<T>();
  return Numbers<T>(object, key);
}

/// A tree as the file holds it: arrays by node (include/xgboost/tree_model.h).
struct FileTree {
  std::vector<int32_t> left, right, feature, split_type, default_left;
  std::vector<float> cover;               ///< the sum of hessians of each node; empty where the file has none
  std::vector<float> condition, weights;  ///< a leaf's value is its condition; of vector leaves in `weights`
  std::vector<int64_t> categories, category_nodes, category_segments, category_sizes;
  uint32_t width = 1;
  bool packed_leaves = false;  ///< since 3.2: `weights` are of leaves, whose number stands as their right child
};

Result<FileTree> ReadTree(const JsonObject& object) {
  FileTree tree;
  ASSIGN(tree.left, Numbers<int32_t>(object, "left_children"));
  ASSIGN(tree.right, Numbers<int32_t>(object, "right_children"));
  ASSIGN(tree.feature, Numbers<int32_t>(object, "split_indices"));
  ASSIGN(tree.condition, Numbers<float>(object, "split_conditions"));
  ASSIGN(tree.default_left, Numbers<int32_t>(object, "default_left"));
  ASSIGN(tree.split_type, NumbersIfAny<int32_t>(object, "split_type"));
  ASSIGN(tree.categories, NumbersIfAny<int64_t>(object, "categories"));
  ASSIGN(tree.category_nodes, NumbersIfAny<int64_t>(object, "categories_nodes"));
  ASSIGN(tree.category_segments, NumbersIfAny<int64_t>(object, "categories_segments"));
  ASSIGN(tree.category_sizes, NumbersIfAny<int64_t>(object, "categories_sizes"));
  ASSIGN(auto parameters, object.Object("tree_param"));
  ASSIGN(auto width, NumberIn<uint32_t>(parameters, "size_leaf_vector", 1));
  tree.width = std::max(width, 1u);
  ASSIGN(tree.cover, NumbersIfAny<float>(object, "sum_hessian"));
  auto nodes = tree.left.size();
  if (tree.cover.size() != nodes ||
      std::ranges::any_of(tree.cover, [](float cover) { return !(cover >= 0) || std::isinf(cover); }))
    tree.cover.clear();
  if (tree.split_type.empty()) tree.split_type.resize(nodes);
  for (size_t size : {tree.right.size(), tree.feature.size(), tree.condition.size(), tree.default_left.size(),
                      tree.split_type.size()})
    if (size != nodes || nodes == 0)
      return Fail(ErrorKind::kCorrupt, "{}: its arrays differ in length", object.where());
  if (tree.category_nodes.size() != tree.category_segments.size() ||
      tree.category_nodes.size() != tree.category_sizes.size())
    return Fail(ErrorKind::kCorrupt, "{}: its arrays of categories differ in length", object.where());
  if (tree.width > 1) {
    tree.packed_leaves = object.Find("leaf_weights") != nullptr;
    ASSIGN(tree.weights, Numbers<float>(object, tree.packed_leaves ? "leaf_weights" : "base_weights"));
  }
  return tree;
}

/// Makes a tree of nodes and leaves of the file's nodes, of which some may be deleted.
class TreeMaker {
 public:
  TreeMaker(const FileTree& file, float weight, Ensemble& ensemble)
      : file_(file), weight_(weight), ensemble_(ensemble) {}

  Result<Tree> Make(uint32_t output) {
    tree_.output = output;
    tree_.width = file_.width;
    std::vector<int32_t> number(file_.left.size(), kUnseen);
    std::vector<size_t> order{0};
    number[0] = IsLeaf(0) ? ~0 : 0;
    int32_t nodes = IsLeaf(0) ? 0 : 1, leaves = IsLeaf(0) ? 1 : 0;
    for (size_t i = 0; i < order.size(); ++i) {
      auto at = order[i];
      if (IsLeaf(at)) continue;
      for (auto child : {file_.left[at], file_.right[at]}) {
        if (child < 0 || static_cast<size_t>(child) >= number.size() || number[static_cast<size_t>(child)] != kUnseen)
          return Fail(ErrorKind::kCorrupt, "node {} has the child {}, which is not there or another's", at, child);
        number[static_cast<size_t>(child)] = IsLeaf(static_cast<size_t>(child)) ? ~(leaves++) : nodes++;
        order.push_back(static_cast<size_t>(child));
      }
    }
    tree_.nodes.resize(static_cast<size_t>(nodes));
    tree_.leaves.resize(static_cast<size_t>(leaves) * tree_.width);
    tree_.covers.resize(file_.cover.empty() ? 0 : static_cast<size_t>(leaves));
    for (auto at : order) {
      if (IsLeaf(at)) {
        TRY(SetLeaf(at, static_cast<size_t>(~number[at])));
      } else {
        auto left = number[static_cast<size_t>(file_.left[at])], right = number[static_cast<size_t>(file_.right[at])];
        ASSIGN(tree_.nodes[static_cast<size_t>(number[at])], NodeOf(at, left, right));
      }
    }
    return std::move(tree_);
  }

 private:
  static constexpr int32_t kUnseen = std::numeric_limits<int32_t>::max();
  bool IsLeaf(size_t at) const { return file_.left[at] == -1; }

  Result<> SetLeaf(size_t at, size_t leaf) {
    if (!file_.cover.empty()) tree_.covers[leaf] = static_cast<double>(file_.cover[at]);
    for (size_t w = 0; w < tree_.width; ++w) {
      float value = 0;
      if (tree_.width == 1) {
        value = file_.condition[at];
      } else {
        auto row = file_.packed_leaves ? static_cast<size_t>(std::max(file_.right[at], 0)) : at;
        if (row * tree_.width + w >= file_.weights.size())
          return Fail(ErrorKind::kCorrupt, "leaf {} has no values", at);
        value = file_.weights[row * tree_.width + w];
      }
      tree_.leaves[leaf * tree_.width + w] = value * weight_;
    }
    return {};
  }

  Result<Node> NodeOf(size_t at, int32_t left, int32_t right) {
    Split split{static_cast<uint32_t>(file_.feature[at])};
    bool default_left = file_.default_left[at] != 0;
    split.nan = default_left ? Missing::kLeft : Missing::kRight;
    if (file_.split_type[at] == 0) {
      // x < c for floats is x <= the float before c; nothing lies below -infinity.
      float condition = file_.condition[at];
      if (condition == -std::numeric_limits<float>::infinity())
        return Fail(ErrorKind::kUnsupported, "node {} splits at -infinity", at);
      split.threshold = std::nextafter(condition, -std::numeric_limits<float>::infinity());
      return Node{split, left, right};
    }
    // Categories of the set go right, others left: the sides change places, since our sets go left.
    auto found = std::ranges::find(file_.category_nodes, static_cast<int64_t>(at)) - file_.category_nodes.begin();
    auto index = static_cast<size_t>(found);
    if (index == file_.category_nodes.size()) return Fail(ErrorKind::kCorrupt, "node {} has no categories", at);
    auto first = file_.category_segments[index], size = file_.category_sizes[index];
    auto count = static_cast<int64_t>(file_.categories.size());
    if (first < 0 || size < 0 || first > count || size > count - first)
      return Fail(ErrorKind::kCorrupt, "node {} has no categories", at);
    std::vector<uint32_t> set;
    for (auto category : std::span(file_.categories).subspan(static_cast<size_t>(first), static_cast<size_t>(size))) {
      if (category < 0 || category >= (1 << 24))
        return Fail(ErrorKind::kCorrupt, "node {} has the category {}", at, category);
      set.push_back(static_cast<uint32_t>(category));
    }
    split.categories = static_cast<int32_t>(ensemble_.category_sets.size());
    ensemble_.category_sets.push_back(std::move(set));
    split.nan = default_left ? Missing::kRight : Missing::kLeft;
    return Node{split, right, left};
  }

  const FileTree& file_;
  float weight_;
  Ensemble& ensemble_;
  Tree tree_;
};

float ToMargin(Base base, float score) {
  switch (base) {
    case Base::kLogit: return -std::log(1.0f / score - 1.0f);
    case Base::kLog: return std::log(score);
    default: return score;
  }
}

/// How many trees the best iteration of early stopping leaves.
Result<size_t> TreesToTake(const JsonObject& learner, const JsonObject& model, size_t trees, size_t outputs_per_tree) {
  ASSIGN(auto attributes, learner.Object("attributes"));
  ASSIGN(auto best, NumberIn<uint32_t>(attributes, "best_iteration", std::numeric_limits<uint32_t>::max()));
  if (best == std::numeric_limits<uint32_t>::max()) return trees;
  ASSIGN(auto ends, NumbersIfAny<int64_t>(model, "iteration_indptr"));
  if (!ends.empty()) {
    if (best + size_t{1} >= ends.size() || ends[best + 1] < 0)
      return Fail(ErrorKind::kCorrupt, "the best iteration {} is not there", best);
    return std::min(trees, static_cast<size_t>(ends[best + 1]));
  }
  ASSIGN(auto parameters, model.Object("gbtree_model_param"));
  ASSIGN(auto parallel, NumberIn<uint32_t>(parameters, "num_parallel_tree", 1));
  return std::min(trees, (best + size_t{1}) * std::max(parallel, 1u) * outputs_per_tree);
}

/// The categories of a feature: whole numbers, or the bytes of texts and where each of them begins; none of other
/// features.
Result<std::optional<Categories>> CategoriesOf(const json::value& value) {
  ASSIGN(auto object, JsonObject::From(value, "categories"));
  Categories categories;
  ASSIGN(auto values, Numbers<double>(object, "values"));
  ASSIGN(auto offsets, NumbersIfAny<int64_t>(object, "offsets"));
  if (object.Find("offsets") == nullptr) {
    for (double number : values) {
      if (number != std::trunc(number) || std::fabs(number) > kMostWhole)
        return Fail(ErrorKind::kUnsupported, "a category that is {}, no whole number", number);
      categories.values.push_back(fmt::to_string(static_cast<int64_t>(number)));
    }
    return categories;
  }
  if (offsets.size() < 2) return std::nullopt;
  categories.texts = true;
  for (size_t k = 0; k + 1 < offsets.size(); ++k) {
    if (offsets[k] < 0 || offsets[k] > offsets[k + 1] || offsets[k + 1] > std::ssize(values))
      return Fail(ErrorKind::kCorrupt, "categories: their offsets do not rise within the text");
    auto& text = categories.values.emplace_back();
    for (auto at = offsets[k]; at < offsets[k + 1]; ++at)
      text += static_cast<char>(static_cast<int>(values[static_cast<size_t>(at)]));
    // XGBoost's Python package counts characters where bytes are meant, and cuts such texts in the wrong places.
    if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) > 127; }))
      return Fail(ErrorKind::kUnsupported, "a category with letters beyond ASCII, which XGBoost does not keep whole");
  }
  return categories;
}

Result<> ReadCategories(const JsonObject& model, XgboostFile& file) {
  if (model.Find("cats") == nullptr) return {};
  ASSIGN(auto cats, model.Object("cats"));
  if (cats.Find("enc") == nullptr) return {};
  ASSIGN(const auto* features, cats.Array("enc"));
  for (const auto& feature : *features) {
    ASSIGN(auto categories, CategoriesOf(feature));
    file.categories.push_back(std::move(categories));
  }
  if (!file.categories.empty() && file.categories.size() != file.ensemble.features)
    return Fail(ErrorKind::kCorrupt, "categories of {} features, but the model has {}", file.categories.size(),
                file.ensemble.features);
  return {};
}

Result<> ReadTrees(const JsonObject& learner, bool only_best, uint32_t classes, XgboostFile& to) {
  auto& ensemble = to.ensemble;
  ASSIGN(auto booster, learner.Object("gradient_booster"));
  ASSIGN(auto name, booster.String("name"));
  if (name != "gbtree" && name != "dart")
    return Fail(ErrorKind::kUnsupported, "the booster '{}'; gbtree and dart are read", name);
  auto trees_of = booster;
  std::vector<float> weights;
  if (name == "dart") {
    ASSIGN(weights, Numbers<float>(booster, "weight_drop"));
    ASSIGN(trees_of, booster.Object("gbtree"));
  }
  ASSIGN(auto model, trees_of.Object("model"));
  TRY(ReadCategories(model, to));
  ASSIGN(const auto* trees, model.Array("trees"));
  ASSIGN(auto outputs, Numbers<int64_t>(model, "tree_info"));
  if (outputs.size() != trees->size())
    return Fail(ErrorKind::kCorrupt, "{} trees, but {} entries in tree_info", trees->size(), outputs.size());
  size_t take = trees->size();
  if (only_best) {
    ASSIGN(take, TreesToTake(learner, model, take, classes));
  }
  for (size_t t = 0; t < take; ++t) {
    ASSIGN(auto object, JsonObject::From((*trees)[t], fmt::format("tree {}", t)));
    ASSIGN(auto file, ReadTree(object));
    if (outputs[t] < 0 || outputs[t] >= ensemble.outputs)
      return Fail(ErrorKind::kCorrupt, "tree {} adds to output {}", t, outputs[t]);
    if (!weights.empty() && t >= weights.size()) return Fail(ErrorKind::kCorrupt, "tree {} has no weight", t);
    TreeMaker maker(file, weights.empty() ? 1.0f : weights[t], ensemble);
    ASSIGN(auto tree,
           Wrap(maker.Make(file.width > 1 ? 0 : static_cast<uint32_t>(outputs[t])), fmt::format("tree {}", t)));
    ensemble.trees.push_back(std::move(tree));
  }
  return {};
}

Result<XgboostFile> ReadModel(const json::value& value, bool only_best) {
  ASSIGN(auto root, JsonObject::From(value, "XGBoost model"));
  ASSIGN(auto learner, root.Object("learner"));
  ASSIGN(auto objective, learner.Object("objective"));
  XgboostFile file;
  ASSIGN(file.objective, objective.String("name"));
  const auto* known = std::ranges::find(kObjectives, file.objective, &Objective::name);
  if (known == std::end(kObjectives))
    return Fail(ErrorKind::kUnsupported, "the objective '{}' is not known", file.objective);
  file.transform = known->transform;
  if (const auto* names = learner.Find("feature_names"); names != nullptr && names->is_array()) {
    ASSIGN(file.feature_names, JsonStrings(names->get_array(), "feature_names"));
  }
  ASSIGN(auto parameters, learner.Object("learner_model_param"));
  ASSIGN(auto classes, NumberIn<uint32_t>(parameters, "num_class", 0));
  ASSIGN(auto targets, NumberIn<uint32_t>(parameters, "num_target", 1));
  auto& ensemble = file.ensemble;
  ensemble.outputs = std::max({classes, targets, 1u});
  ASSIGN(ensemble.features, NumberIn<uint32_t>(parameters, "num_feature", 0));
  ASSIGN(auto base_score, parameters.String("base_score", "5E-1"));
  ASSIGN(auto scores, BaseScores(base_score));
  if (ensemble.outputs > 100'000) return Fail(ErrorKind::kUnsupported, "{} outputs", ensemble.outputs);
  if (scores.size() == 1) scores.resize(ensemble.outputs, scores[0]);
  for (float score : scores) ensemble.base.push_back(ToMargin(known->base, score));
  ensemble.input = Precision::kFloat;
  ensemble.sum = Precision::kFloat;
  TRY(ReadTrees(learner, only_best, ensemble.outputs, file));
  TRY(Check(ensemble));
  return file;
}

}  // namespace

Result<XgboostFile> ParseXgboostFile(std::string_view bytes, bool only_best) {
  if (!bytes.starts_with('{'))
    return Fail(ErrorKind::kUnsupported, "not JSON or UBJSON: save the model anew with XGBoost 1.3 or later");
  // The text form goes on with a key or an end; the binary one with the type of a key's length.
  auto next = bytes.find_first_not_of(" \t\r\n", 1);
  bool is_text = next != std::string_view::npos && (bytes[next] == '"' || bytes[next] == '}');
  ASSIGN(auto value, is_text ? ParseJson(QuoteNoNumbers(bytes)) : ParseUbjson(bytes));
  auto file = ReadModel(value, only_best);
  if (!file && file.error().kind == ErrorKind::kInvalid) file.error().kind = ErrorKind::kCorrupt;
  return file;
}

/// As src/common/math.h has it: sums of exponentials in double, everything else in float.
void Apply(Transform transform, float* margins, size_t outputs) {
  switch (transform) {
    case Transform::kIdentity: return;
    case Transform::kSigmoid:
      for (size_t k = 0; k < outputs; ++k) margins[k] = 1.0f / (std::exp(std::min(-margins[k], 88.7f)) + 1.0f + 1e-16f);
      return;
    case Transform::kExp:
      for (size_t k = 0; k < outputs; ++k) margins[k] = std::exp(margins[k]);
      return;
    case Transform::kHinge:
      for (size_t k = 0; k < outputs; ++k) margins[k] = margins[k] > 0 ? 1.0f : 0.0f;
      return;
    case Transform::kArgmax:
      margins[0] = static_cast<float>(std::max_element(margins, margins + outputs) - margins);
      return;
    case Transform::kSoftmax: {
      float largest = *std::max_element(margins, margins + outputs);
      double sum = 0;
      for (size_t k = 0; k < outputs; ++k) {
        margins[k] = std::exp(margins[k] - largest);
        sum += static_cast<double>(margins[k]);
      }
      for (size_t k = 0; k < outputs; ++k) margins[k] /= static_cast<float>(sum);
      return;
    }
  }
}

}  // namespace slipway::model
