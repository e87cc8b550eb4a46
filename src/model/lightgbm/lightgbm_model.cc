#include "model/lightgbm/lightgbm_model.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_map>

#include "base/arrow.h"
#include "base/file.h"
#include "base/format.h"
#include "model/forest/forest.h"
#include "model/lightgbm/text_model.h"

namespace slipway::model {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr double kZeroThreshold = 1e-35f;
constexpr size_t kLargestModel = size_t{4} << 30;

struct StringHash : std::hash<std::string_view> {
  using is_transparent = void;
};
using Codes = std::unordered_map<std::string, double, StringHash, std::equal_to<>>;

/// LightGBM's row reader leaves out what is at most kZeroThreshold away from zero, so such values are 0.0 in every split
/// and every linear leaf (src/c_api.cpp, RowPairFunctionFromDenseMatric).
double AsFeature(double value) { return std::fabs(value) > kZeroThreshold || std::isnan(value) ? value : 0.0; }

template <typename ArrayType>
void Fill(const arrow::Array& array, double* out, size_t stride) {
  const auto& typed = static_cast<const ArrayType&>(array);
  for (int64_t i = 0; i < typed.length(); ++i, out += stride)
    *out = typed.IsNull(i) ? kMissing : AsFeature(static_cast<double>(typed.Value(i)));
}

void FillCodes(const arrow::Array& array, const Codes& codes, double* out, size_t stride) {
  const auto& text = static_cast<const arrow::StringArray&>(array);
  for (int64_t i = 0; i < text.length(); ++i, out += stride) {
    auto found = text.IsNull(i) ? codes.end() : codes.find(text.GetView(i));
    *out = found == codes.end() ? kMissing : found->second;
  }
}

/// Integer and boolean categories: the value's text is looked up.
void FillCodesOfNumbers(const arrow::Array& array, const Codes& codes, double* out, size_t stride) {
  std::vector<double> values(static_cast<size_t>(array.length()));
  switch (array.type_id()) {
    case arrow::Type::BOOL: Fill<arrow::BooleanArray>(array, values.data(), 1); break;
    case arrow::Type::INT32: Fill<arrow::Int32Array>(array, values.data(), 1); break;
    default: Fill<arrow::Int64Array>(array, values.data(), 1);
  }
  bool boolean = array.type_id() == arrow::Type::BOOL;
  for (double value : values) {
    auto text = boolean ? std::string(value != 0 ? "true" : "false") : std::isnan(value) ? "" : std::to_string(static_cast<int64_t>(value));
    auto found = std::isnan(value) ? codes.end() : codes.find(text);
    *out = found == codes.end() ? kMissing : found->second;
    out += stride;
  }
}

constexpr int kCategorical = 1, kDefaultLeft = 2, kMissingZero = 1, kMissingNaN = 2;

/// The model as a forest, where all of its trees can be one: no categories, no linear leaves, few enough leaves.
std::optional<Forest> ForestOf(const LightGbmText& text) {
  Forest forest;
  for (const auto& tree : text.trees) {
    if (tree.is_linear || static_cast<size_t>(tree.num_leaves) > Forest::kMostLeaves) return std::nullopt;
    std::vector<Forest::Node> nodes;
    for (size_t n = 0; tree.num_leaves > 1 && n < tree.split_feature.size(); ++n) {
      int type = tree.decision_type[n], missing = (type >> 2) & 3;
      if ((type & kCategorical) != 0) return std::nullopt;
      auto side = (type & kDefaultLeft) != 0 ? Forest::Missing::kLeft : Forest::Missing::kRight;
      Forest::Split split{tree.split_feature[n], tree.threshold[n]};
      if (missing == kMissingZero) split.nan = split.zero = side;
      if (missing == kMissingNaN) split.nan = side;
      nodes.push_back({split, tree.left_child[n], tree.right_child[n]});
    }
    forest.AddTree(nodes);
  }
  forest.Prepare();
  return forest;
}

class LightGbmModel final : public Model {
 public:
  LightGbmModel(LightGbmText text, std::vector<ColumnSpec> inputs, std::vector<std::optional<Codes>> codes)
      : text_(std::move(text)), inputs_(std::move(inputs)), codes_(std::move(codes)), forest_(ForestOf(text_)) {
    arrow::FieldVector fields;
    for (int k = 0; k < text_.num_tree_per_iteration; ++k) {
      auto name = text_.num_tree_per_iteration == 1 ? "prediction" : fmt::format("prediction_{}", k);
      fields.push_back(arrow::field(name, arrow::float64(), false));
    }
    outputs_ = arrow::schema(std::move(fields));
  }

  const std::vector<ColumnSpec>& inputs() const override { return inputs_; }
  const std::shared_ptr<arrow::Schema>& outputs() const override { return outputs_; }

  Result<std::shared_ptr<arrow::RecordBatch>> Score(const arrow::RecordBatch& batch) const override {
    auto rows = static_cast<size_t>(batch.num_rows()), features = inputs_.size();
    auto outputs = static_cast<size_t>(text_.num_tree_per_iteration);
    // A forest reads column by column, the scalar walk row by row.
    std::vector<double> matrix(rows * features);
    for (size_t f = 0; f < features; ++f) {
      auto column = batch.GetColumnByName(inputs_[f].name);
      if (column == nullptr) return Fail(ErrorKind::kInternal, "the rows lack the feature '{}'", inputs_[f].name);
      TRY(forest_ ? FillFeature(*column, f, matrix.data() + f * rows, 1) : FillFeature(*column, f, matrix.data() + f, features));
    }
    std::vector<arrow::DoubleBuilder> builders(outputs);
    for (auto& builder : builders) ARROW_TRY(builder.Reserve(batch.num_rows()));
    std::vector<double> scores(outputs);
    auto append = [&] {
      for (size_t k = 0; k < outputs; ++k) builders[k].UnsafeAppend(scores[k]);
    };
    if (forest_) {
      ScoreBlocks(matrix, rows, [&](const std::vector<double>& sums, size_t row) {
        for (size_t k = 0; k < outputs; ++k) scores[k] = sums[k * Forest::kBlock + row];
        Convert(text_, scores.data());
        append();
      });
    } else {
      for (size_t row = 0; row < rows; ++row) {
        Predict(text_, matrix.data() + row * features, scores.data());
        append();
      }
    }
    arrow::ArrayVector columns;
    for (auto& builder : builders) {
      ARROW_ASSIGN(auto column, builder.Finish());
      columns.push_back(std::move(column));
    }
    return arrow::RecordBatch::Make(outputs_, batch.num_rows(), std::move(columns));
  }

 private:
  /// Raw sums block by block: each row's are added tree after tree, as LightGBM adds them.
  template <typename F>
  void ScoreBlocks(const std::vector<double>& matrix, size_t rows, F&& take) const {
    auto outputs = static_cast<size_t>(text_.num_tree_per_iteration);
    Forest::Scratch scratch;
    std::vector<double> sums(outputs * Forest::kBlock);
    std::vector<const double*> features(inputs_.size());
    for (size_t first = 0; first < rows; first += Forest::kBlock) {
      auto count = std::min(Forest::kBlock, rows - first);
      for (size_t f = 0; f < features.size(); ++f) features[f] = matrix.data() + f * rows + first;
      forest_->Rank(features, count, scratch);
      std::ranges::fill(sums, 0.0);
      for (size_t t = 0; t < text_.trees.size(); ++t)
        forest_->AddLeaves(t, text_.trees[t].leaf_value.data(), count, scratch, sums.data() + t % outputs * Forest::kBlock);
      for (size_t row = 0; row < count; ++row) take(sums, row);
    }
  }

  Result<> FillFeature(const arrow::Array& column, size_t feature, double* out, size_t stride) const {
    const auto& codes = codes_[feature];
    auto type = column.type_id();
    if (codes && type == arrow::Type::STRING)
      FillCodes(column, *codes, out, stride);
    else if (codes)
      FillCodesOfNumbers(column, *codes, out, stride);
    else if (type == arrow::Type::DOUBLE)
      Fill<arrow::DoubleArray>(column, out, stride);
    else if (type == arrow::Type::FLOAT)
      Fill<arrow::FloatArray>(column, out, stride);
    else if (type == arrow::Type::INT64)
      Fill<arrow::Int64Array>(column, out, stride);
    else if (type == arrow::Type::INT32)
      Fill<arrow::Int32Array>(column, out, stride);
    else if (type == arrow::Type::INT16)
      Fill<arrow::Int16Array>(column, out, stride);
    else if (type == arrow::Type::INT8)
      Fill<arrow::Int8Array>(column, out, stride);
    else if (type == arrow::Type::BOOL)
      Fill<arrow::BooleanArray>(column, out, stride);
    else
      return Fail(ErrorKind::kInvalid, "the feature '{}' cannot be {}", inputs_[feature].name, column.type()->ToString());
    return {};
  }

  LightGbmText text_;
  std::vector<ColumnSpec> inputs_;
  std::vector<std::optional<Codes>> codes_;  ///< of the features that are pandas categories
  std::shared_ptr<arrow::Schema> outputs_;
  std::optional<Forest> forest_;
};

bool IsCategorical(const std::string& feature_info) { return feature_info != "none" && !feature_info.starts_with('['); }

/// Which features the lists of `pandas_categorical` belong to, in order: the text columns; or, when their number does not
/// fit, the features that LightGBM itself calls categorical. Anything else would be a guess.
Result<std::vector<size_t>> CategoryFeatures(const LightGbmText& text, const std::vector<ColumnSpec>& inputs) {
  auto count = text.pandas_categorical.size();
  std::vector<size_t> texts, categorical;
  for (size_t f = 0; f < inputs.size(); ++f) {
    if (inputs[f].type == "string") texts.push_back(f);
    if (inputs[f].type == "string" || IsCategorical(text.feature_infos[f])) categorical.push_back(f);
  }
  if (texts.size() == count) return texts;
  if (categorical.size() == count) return categorical;
  return Fail(ErrorKind::kUnsupported,
              "the model has the categories of {} columns, but {} text columns and {} categorical features: "
              "which belong together cannot be told",
              count, texts.size(), categorical.size());
}

}  // namespace

Result<std::unique_ptr<Model>> LoadLightGbm(const MlModel& mlmodel) {
  const auto& settings = mlmodel.flavors.at("lightgbm");
  auto data = settings.find("data");
  auto file = mlmodel.folder / (data == settings.end() ? "model.lgb" : data->second);
  if (file.extension() == ".pkl" || file.extension() == ".skops")
    return Fail(ErrorKind::kUnsupported, "{} holds a scikit-learn wrapper; save its booster_ instead", file.string());
  ASSIGN(auto bytes, ReadFile(file, kLargestModel));
  ASSIGN(auto text, Wrap(ParseLightGbmText(bytes), file.string()));
  std::vector<ColumnSpec> inputs;
  if (mlmodel.signature && !mlmodel.signature->inputs.empty()) {
    inputs = mlmodel.signature->inputs;
  } else {
    for (const auto& name : text.feature_names) inputs.push_back({name, "double", true});
    if (!text.pandas_categorical.empty())
      return Fail(ErrorKind::kUnsupported, "a model with categories needs a signature: save it with signature=infer_signature(…)");
  }
  if (inputs.size() != text.feature_names.size())
    return Fail(ErrorKind::kInvalid, "the signature has {} inputs, but the model {} features", inputs.size(), text.feature_names.size());
  std::vector<std::optional<Codes>> codes(inputs.size());
  ASSIGN(auto features, CategoryFeatures(text, inputs));
  for (size_t i = 0; i < features.size(); ++i) {
    auto& map = codes[features[i]].emplace();
    for (const auto& category : text.pandas_categorical[i]) map.emplace(category, static_cast<double>(map.size()));
  }
  return std::make_unique<LightGbmModel>(std::move(text), std::move(inputs), std::move(codes));
}

}  // namespace slipway::model
