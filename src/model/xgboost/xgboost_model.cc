#include "model/xgboost/xgboost_model.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/type.h>

#include <algorithm>
#include <iterator>

#include "base/arrow.h"
#include "base/file.h"
#include "base/format.h"
#include "model/forest/forest_model.h"
#include "model/mlflow/column_type.h"
#include "model/predictions/predictions.h"
#include "model/xgboost/model_file.h"

namespace slipway::model {
namespace {

constexpr size_t kLargestModel = size_t{4} << 30;

/// What `predict` gives: XGBoost's values, or the labels that a classifier makes of them.
enum class Gives { kValues, kClassOfBinary, kClassOfMany, kClassAsNumber, kLabelsOfEach };

Gives WhatPredictGives(const std::string& model_class, const XgboostFile& file) {
  if (!model_class.ends_with("Classifier")) return Gives::kValues;
  if (file.objective == "multi:softmax") return Gives::kClassAsNumber;
  if (file.ensemble.outputs == 1) return Gives::kClassOfBinary;
  return file.objective == "multi:softprob" ? Gives::kClassOfMany : Gives::kLabelsOfEach;
}

class Converter {
 public:
  Converter(Transform transform, Gives gives, size_t outputs)
      : transform_(transform), gives_(gives), outputs_(outputs) {}

  std::shared_ptr<arrow::Schema> Schema() const {
    bool one = outputs_ == 1 || transform_ == Transform::kArgmax || gives_ == Gives::kClassOfMany;
    auto type = gives_ == Gives::kValues          ? arrow::float32()
                : gives_ == Gives::kClassAsNumber ? arrow::int32()
                : gives_ == Gives::kLabelsOfEach  ? arrow::float64()
                                                  : arrow::int64();
    return PredictionSchema(one ? 1 : outputs_, type);
  }

  Result<arrow::ArrayVector> Convert(const std::shared_ptr<arrow::Buffer>& sums, int64_t rows) const {
    switch (gives_) {
      case Gives::kValues: return Build<arrow::FloatBuilder>(*sums, rows, [](float value) { return value; });
      case Gives::kClassAsNumber:
        return Build<arrow::Int32Builder>(*sums, rows, [](float value) { return static_cast<int32_t>(value); });
      case Gives::kClassOfMany:
        return Build<arrow::Int64Builder>(*sums, rows, [](float value) { return static_cast<int64_t>(value); });
      case Gives::kClassOfBinary:
        return Build<arrow::Int64Builder>(*sums, rows, [](float value) { return int64_t{value > 0.5f}; });
      case Gives::kLabelsOfEach:
        return Build<arrow::DoubleBuilder>(*sums, rows, [](float value) { return value > 0.5f ? 1.0 : 0.0; });
    }
    return Fail(ErrorKind::kInternal, "a model that gives nothing");
  }

  /// 0, 1, …: the labels whose probabilities are known; null: there are none.
  Result<std::shared_ptr<arrow::Array>> Labels() const {
    bool known =
        gives_ == Gives::kClassOfMany || (gives_ == Gives::kClassOfBinary && transform_ == Transform::kSigmoid);
    if (!known) return std::shared_ptr<arrow::Array>();
    arrow::Int64Builder labels;
    for (int64_t k = 0; k < static_cast<int64_t>(std::max<size_t>(outputs_, 2)); ++k) ARROW_TRY(labels.Append(k));
    ARROW_ASSIGN(auto array, labels.Finish());
    return array;
  }

  /// What predict_proba gives.
  Result<arrow::ArrayVector> Probabilities(const arrow::Buffer& sums, int64_t rows) const {
    Converter values(transform_, Gives::kValues, outputs_);
    ASSIGN(auto columns, values.Build<arrow::FloatBuilder>(sums, rows, [](float value) { return value; }));
    if (outputs_ > 1) return columns;
    ASSIGN(auto others, values.Build<arrow::FloatBuilder>(sums, rows, [](float value) { return 1.0f - value; }));
    return arrow::ArrayVector{others[0], columns[0]};
  }

 private:
  template <typename Builder, typename F>
  Result<arrow::ArrayVector> Build(const arrow::Buffer& sums, int64_t rows, F&& of) const {
    auto columns = static_cast<size_t>(Schema()->num_fields());
    std::vector<Builder> builders(columns);
    for (auto& builder : builders) ARROW_TRY(builder.Reserve(rows));
    const auto* margins = sums.data_as<double>();
    std::vector<float> row(outputs_);
    for (int64_t i = 0; i < rows; ++i) {
      for (size_t k = 0; k < outputs_; ++k) row[k] = static_cast<float>(margins[static_cast<int64_t>(k) * rows + i]);
      Apply(transform_, row.data(), outputs_);
      if (gives_ == Gives::kClassOfMany) row[0] = static_cast<float>(std::ranges::max_element(row) - row.begin());
      for (size_t k = 0; k < columns; ++k) builders[k].UnsafeAppend(of(row[k]));
    }
    arrow::ArrayVector arrays;
    for (auto& builder : builders) {
      ARROW_ASSIGN(auto array, builder.Finish());
      arrays.push_back(std::move(array));
    }
    return arrays;
  }

  Transform transform_;
  Gives gives_;
  size_t outputs_;
};

/// The features' columns, by name where the file has names, as XGBoost itself insists; and the codes of those that are
/// pandas categories. A value that is none of them is refused, as XGBoost means to: of numbers it takes the next larger
/// category where there is one (3.2), which is nobody's answer.
Result<Inputs> ReadInputs(const XgboostFile& file, const MlModel& mlmodel) {
  auto names = file.feature_names;
  for (size_t f = names.size(); f < file.ensemble.features; ++f) names.push_back(fmt::format("f{}", f));
  ASSIGN(auto specs, file.feature_names.empty() ? InputsFor(mlmodel, names) : InputsByName(mlmodel, names));
  Inputs inputs(std::move(specs));
  for (size_t f = 0; f < file.categories.size(); ++f) {
    if (!file.categories[f]) continue;
    auto& codes = inputs.codes[f].emplace();
    for (const auto& category : file.categories[f]->values)
      if (!codes.Add(category, static_cast<double>(codes.size())))
        return Fail(ErrorKind::kCorrupt, "the category '{}' is listed twice", category);
    bool text = ColumnTypeOf(inputs.specs[f].type) == ColumnType::kString;
    if (text != file.categories[f]->texts)
      return Fail(ErrorKind::kUnsupported, "'{}' has categories that are {}, but is {} by the signature",
                  inputs.specs[f].name, text ? "numbers" : "text", inputs.specs[f].type);
    inputs.accepts[f].unknown = false;
    codes.other = static_cast<double>(codes.size());
  }
  return inputs;
}

}  // namespace

Result<std::unique_ptr<Model>> LoadXgboost(const MlModel& mlmodel) {
  const auto& settings = mlmodel.flavors.at("xgboost");
  auto setting = [&](const char* key, std::string fallback) {
    auto found = settings.find(key);
    return found == settings.end() ? fallback : found->second;
  };
  auto path = mlmodel.folder / setting("data", "model.xgb");
  ASSIGN(auto bytes, ReadFile(path, kLargestModel));
  return MakeXgboost(mlmodel, bytes, setting("model_class", "xgboost.core.Booster"), nullptr, path.string());
}

Result<std::unique_ptr<Model>> MakeXgboost(const MlModel& mlmodel, std::string_view bytes,
                                           const std::string& model_class, const BeforeTrees& before,
                                           const std::string& where) {
  ASSIGN(auto file, Wrap(ParseXgboostFile(bytes, !model_class.ends_with(".Booster")), where));
  ForestModelParts parts;
  if (before) {
    TRY(before(file.ensemble, parts.inputs));
  } else {
    ASSIGN(parts.inputs, ReadInputs(file, mlmodel));
    parts.codes_are_pandas = true;
    // A DMatrix, which only a Booster is given, takes no infinities.
    if (model_class.ends_with(".Booster"))
      for (auto& accepts : parts.inputs.accepts) accepts.OnlyFinite();
  }
  Converter converter(file.transform, WhatPredictGives(model_class, file), file.ensemble.outputs);
  parts.outputs = converter.Schema();
  parts.probabilities = mlmodel.extras.probabilities;
  if (parts.probabilities) {
    ASSIGN(auto labels, converter.Labels());
    if (labels == nullptr) return NoLabels(where);
    ASSIGN(parts.outputs, WithProbabilities(*parts.outputs, *labels, arrow::float32()));
  }
  parts.convert = [converter, both = parts.probabilities](const auto& sums,
                                                          int64_t rows) -> Result<arrow::ArrayVector> {
    ASSIGN(auto columns, converter.Convert(sums, rows));
    if (!both) return columns;
    ASSIGN(auto more, converter.Probabilities(*sums, rows));
    std::ranges::move(more, std::back_inserter(columns));
    return columns;
  };
  parts.contributions = mlmodel.extras.contributions;
  return Wrap(MakeForestModel(std::move(file.ensemble), std::move(parts)), where);
}

}  // namespace slipway::model
