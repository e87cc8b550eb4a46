#include "model/lightgbm/text_model.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "base/format.h"
#include "base/json.h"

namespace slipway::model {
namespace {

using Lines = std::map<std::string, std::string_view, std::less<>>;

constexpr int kMostLeaves = 1 << 24;

std::string_view TakeLine(std::string_view& rest) {
  auto end = rest.find('\n');
  auto line = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::vector<std::string_view> Split(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    auto end = std::min(text.find(' '), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

/// Doubles are written with 17 digits and read to the nearest, as LightGBM's fast_double_parser does.
template <typename T>
bool ReadNumber(std::string_view word, T& value) {
  auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
  return code == std::errc{} && end == word.data() + word.size();
}

/// Reads the values of one tree's lines; the first problem is kept.
class TreeLines {
 public:
  TreeLines(const Lines& lines, size_t tree) : lines_(lines), tree_(tree) {}

  template <typename T>
  std::vector<T> Array(std::string_view key, size_t count, bool required = true) {
    std::vector<T> values;
    auto found = lines_.find(key);
    if (found == lines_.end()) {
      if (required && count > 0)
        Problem(fmt::format("'{}' is missing", key));
      else
        values.resize(count);
      return values;
    }
    for (auto word : Split(found->second)) {
      T value{};
      if (!ReadNumber(word, value)) Problem(fmt::format("'{}': '{}' is not a number", key, word.substr(0, 40)));
      values.push_back(value);
    }
    if (values.size() != count) Problem(fmt::format("'{}' has {} values, not {}", key, values.size(), count));
    return values;
  }

  int Int(std::string_view key, int fallback, bool required) {
    auto found = lines_.find(key);
    int value = fallback;
    if (found == lines_.end() ? required : !ReadNumber(found->second, value))
      Problem(fmt::format("'{}' is missing or not a number", key));
    return value;
  }

  void Problem(std::string text) {
    if (problem_.empty()) problem_ = fmt::format("tree {}: {}", tree_, text);
  }
  const std::string& problem() const { return problem_; }

 private:
  const Lines& lines_;
  size_t tree_;
  std::string problem_;
};

void ReadLinear(TreeLines& lines, LightGbmTree& tree) {
  auto leaves = static_cast<size_t>(tree.num_leaves);
  tree.leaf_const = lines.Array<double>("leaf_const", leaves);
  auto counts = lines.Array<int>("num_features", leaves);
  tree.leaf_features.resize(leaves);
  tree.leaf_coeff.resize(leaves);
  size_t total = 0;
  for (int count : counts) total += count < 0 || count > 1'000'000 ? 0 : static_cast<size_t>(count);
  auto all_features = lines.Array<int>("leaf_features", total);
  auto all_coeff = lines.Array<double>("leaf_coeff", total);
  if (!lines.problem().empty()) return;
  size_t at = 0;
  for (size_t leaf = 0; leaf < leaves; ++leaf) {
    for (int i = 0; i < counts[leaf] && at < total; ++i, ++at) {
      tree.leaf_features[leaf].push_back(all_features[at]);
      tree.leaf_coeff[leaf].push_back(all_coeff[at]);
    }
  }
}

void ReadCategories(TreeLines& lines, LightGbmTree& tree) {
  int splits = lines.Int("num_cat", 0, true);
  if (splits < 0 || splits > kMostLeaves) lines.Problem("'num_cat' is out of range");
  if (splits <= 0 || !lines.problem().empty()) return;
  tree.cat_boundaries = lines.Array<int>("cat_boundaries", static_cast<size_t>(splits) + 1);
  if (!lines.problem().empty()) return;
  if (!std::ranges::is_sorted(tree.cat_boundaries) || tree.cat_boundaries.front() != 0 ||
      tree.cat_boundaries.back() > kMostLeaves)
    return lines.Problem("'cat_boundaries' do not rise from 0");
  tree.cat_threshold = lines.Array<uint32_t>("cat_threshold", static_cast<size_t>(tree.cat_boundaries.back()));
}

Result<LightGbmTree> ReadTree(const Lines& text, size_t number) {
  TreeLines lines(text, number);
  LightGbmTree tree;
  auto failed = [&] { return Fail(ErrorKind::kCorrupt, lines.problem()); };
  tree.num_leaves = lines.Int("num_leaves", 0, true);
  if (tree.num_leaves < 1 || tree.num_leaves > kMostLeaves) lines.Problem("'num_leaves' is out of range");
  tree.is_linear = lines.Int("is_linear", 0, false) != 0;
  if (!lines.problem().empty()) return failed();
  auto leaves = static_cast<size_t>(tree.num_leaves), inner = leaves - 1;
  tree.leaf_value = lines.Array<double>("leaf_value", leaves);
  tree.leaf_count = lines.Array<int>("leaf_count", leaves, false);
  tree.split_feature = lines.Array<int>("split_feature", inner);
  tree.left_child = lines.Array<int>("left_child", inner);
  tree.right_child = lines.Array<int>("right_child", inner);
  tree.threshold = lines.Array<double>("threshold", inner);
  tree.decision_type = {};
  for (int type : lines.Array<int>("decision_type", inner, false))
    tree.decision_type.push_back(static_cast<int8_t>(type));
  ReadCategories(lines, tree);
  if (tree.is_linear && lines.problem().empty()) ReadLinear(lines, tree);
  if (!lines.problem().empty()) return failed();
  for (size_t n = 0; n < inner; ++n) {
    bool categorical = (tree.decision_type[n] & 1) != 0;
    if (categorical &&
        !(tree.threshold[n] >= 0 && tree.threshold[n] + 1 < static_cast<double>(tree.cat_boundaries.size())))
      lines.Problem("a categorical split names no categories");
  }
  if (!lines.problem().empty()) return failed();
  return tree;
}

Result<> ReadObjective(std::string_view text, LightGbmText& model) {
  static constexpr std::pair<std::string_view, Objective> kObjectives[] = {
      {"regression", Objective::kIdentity},
      {"regression_l1", Objective::kIdentity},
      {"huber", Objective::kIdentity},
      {"fair", Objective::kIdentity},
      {"quantile", Objective::kIdentity},
      {"mape", Objective::kIdentity},
      {"lambdarank", Objective::kIdentity},
      {"rank_xendcg", Objective::kIdentity},
      {"custom", Objective::kIdentity},
      {"poisson", Objective::kExp},
      {"gamma", Objective::kExp},
      {"tweedie", Objective::kExp},
      {"binary", Objective::kSigmoid},
      {"cross_entropy", Objective::kSigmoid},
      {"multiclass", Objective::kSoftmax},
      {"multiclassova", Objective::kSigmoidPerClass},
      {"cross_entropy_lambda", Objective::kLogOnePlusExp}};
  auto words = Split(text);
  if (words.empty()) return {};
  bool known = false;
  for (const auto& [name, objective] : kObjectives) {
    if (name != words[0]) continue;
    model.objective = objective;
    known = true;
  }
  if (!known) return Fail(ErrorKind::kUnsupported, "the objective '{}' is not known", words[0]);
  bool squares = words[0] == "regression" || words[0] == "regression_l1" || words[0] == "fair" ||
                 words[0] == "quantile" || words[0] == "mape";
  for (auto word : words) {
    if (word == "sqrt" && squares) model.objective = Objective::kSignedSquare;
    if (word.starts_with("sigmoid:") && (!ReadNumber(word.substr(8), model.sigmoid) || !(model.sigmoid > 0)))
      return Fail(ErrorKind::kCorrupt, "the objective's sigmoid is not above 0");
  }
  return {};
}

Result<> ReadPandasCategorical(std::string_view text, LightGbmText& model) {
  if (text == "null") return {};
  ASSIGN(auto value, Wrap(ParseJson(text), "pandas_categorical"));
  if (!value.is_array()) return Fail(ErrorKind::kCorrupt, "pandas_categorical: not a list");
  for (const auto& column : value.get_array()) {
    if (!column.is_array()) return Fail(ErrorKind::kCorrupt, "pandas_categorical: not a list of lists");
    Categories categories;
    categories.texts = std::ranges::all_of(column.get_array(), [](const auto& item) { return item.is_string(); });
    for (const auto& item : column.get_array()) {
      if (item.is_string())
        categories.values.emplace_back(item.get_string());
      else if (item.is_int64())
        categories.values.push_back(std::to_string(item.get_int64()));
      else if (item.is_double())
        categories.values.push_back(fmt::format("{}", item.get_double()));
      else if (item.is_bool())
        categories.values.push_back(item.get_bool() ? "true" : "false");
      else
        return Fail(ErrorKind::kUnsupported, "pandas_categorical: a category that is neither text, number nor boolean");
    }
    model.pandas_categorical.push_back(std::move(categories));
  }
  return {};
}

Result<> ReadHeader(const Lines& header, LightGbmText& model) {
  auto number = [&](std::string_view key, int fallback) {
    auto found = header.find(key);
    int value = fallback;
    if (found != header.end() && !ReadNumber(found->second, value)) value = -1;
    return value;
  };
  model.num_class = number("num_class", -1);
  model.num_tree_per_iteration = number("num_tree_per_iteration", model.num_class);
  int features = number("max_feature_idx", -2) + 1;
  if (model.num_class < 1 || model.num_class > 100'000 || model.num_tree_per_iteration < 1 ||
      model.num_tree_per_iteration > 100'000)
    return Fail(ErrorKind::kCorrupt, "'num_class' or 'num_tree_per_iteration' is missing or out of range");
  for (auto [key, names] :
       {std::pair{"feature_names", &model.feature_names}, std::pair{"feature_infos", &model.feature_infos}}) {
    auto found = header.find(key);
    if (found != header.end())
      for (auto word : Split(found->second)) names->emplace_back(word);
    if (features < 1 || names->size() != static_cast<size_t>(features))
      return Fail(ErrorKind::kCorrupt, "'{}' has {} entries, but 'max_feature_idx' says {}", key, names->size(),
                  features);
  }
  model.average_output = header.contains("average_output");
  if (auto found = header.find("objective"); found != header.end()) TRY(ReadObjective(found->second, model));
  bool per_class = model.objective == Objective::kSoftmax || model.objective == Objective::kSigmoidPerClass;
  if (per_class && model.num_class != model.num_tree_per_iteration)
    return Fail(ErrorKind::kCorrupt, "'num_class' and 'num_tree_per_iteration' differ");
  return {};
}

}  // namespace

Result<LightGbmText> ParseLightGbmText(std::string_view text) {
  auto rest = text;
  if (TakeLine(rest) != "tree")
    return Fail(ErrorKind::kCorrupt, "not a LightGBM text model: the first line is not 'tree'");
  LightGbmText model;
  Lines section;
  size_t trees = 0;
  bool in_header = true, in_parameters = false;
  auto finish = [&]() -> Result<> {
    if (in_header) return ReadHeader(section, model);
    ASSIGN(auto tree, ReadTree(section, trees - 1));
    model.trees.push_back(std::move(tree));
    return {};
  };
  bool open = true;
  while (!rest.empty()) {
    auto line = TakeLine(rest);
    if (line == "parameters:")
      in_parameters = true;
    else if (line == "end of parameters")
      in_parameters = false;
    if (in_parameters) continue;
    if (line.starts_with("pandas_categorical:")) {
      TRY(ReadPandasCategorical(line.substr(19), model));
      continue;
    }
    if (open && (line.starts_with("Tree=") || line == "end of trees")) {
      TRY(finish());
      section.clear();
      in_header = false;
      open = line.starts_with("Tree=");
      ++trees;
      continue;
    }
    auto equals = line.find('=');
    if (open && !line.empty())
      section[std::string(line.substr(0, equals))] = equals == std::string_view::npos ? "" : line.substr(equals + 1);
  }
  if (open) return Fail(ErrorKind::kCorrupt, "the file is cut off: no 'end of trees' after {} trees", trees);
  if (model.trees.empty() || model.trees.size() % static_cast<size_t>(model.num_tree_per_iteration) != 0)
    return Fail(ErrorKind::kCorrupt, "{} trees for {} per iteration", model.trees.size(), model.num_tree_per_iteration);
  model.iterations = model.trees.size() / static_cast<size_t>(model.num_tree_per_iteration);
  return model;
}

}  // namespace slipway::model
