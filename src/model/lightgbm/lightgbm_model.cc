#include "model/lightgbm/lightgbm_model.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/type.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/arrow.h"
#include "base/file.h"
#include "base/format.h"
#include "model/forest/forest_model.h"
#include "model/lightgbm/text_model.h"
#include "model/mlflow/column_type.h"
#include "model/predictions/predictions.h"

namespace slipway::model {
namespace {

constexpr size_t kLargestModel = size_t{4} << 30;

/// Converts `[outputs, rows]` in place.
void ConvertRows(const LightGbmText& text, double* sums, size_t rows) {
  auto outputs = static_cast<size_t>(text.num_tree_per_iteration);
  if (outputs == 1) {
    for (size_t row = 0; row < rows; ++row) Convert(text, sums + row);
    return;
  }
  std::vector<double> one(outputs);
  for (size_t row = 0; row < rows; ++row) {
    for (size_t k = 0; k < outputs; ++k) one[k] = sums[k * rows + row];
    Convert(text, one.data());
    for (size_t k = 0; k < outputs; ++k) sums[k * rows + row] = one[k];
  }
}

bool IsCategorical(const std::string& feature_info) { return feature_info != "none" && !feature_info.starts_with('['); }

/// Which features the lists of `pandas_categorical` belong to, in order: the text columns; or, when their number does
/// not fit, the features that LightGBM itself calls categorical. Anything else would be a guess.
Result<std::vector<size_t>> CategoryFeatures(const LightGbmText& text, const std::vector<ColumnSpec>& inputs) {
  auto count = text.pandas_categorical.size();
  std::vector<size_t> texts, categorical;
  for (size_t f = 0; f < inputs.size(); ++f) {
    bool is_text = ColumnTypeOf(inputs[f].type) == ColumnType::kString;
    if (is_text) texts.push_back(f);
    if (is_text || IsCategorical(text.feature_infos[f])) categorical.push_back(f);
  }
  if (texts.size() == count) return texts;
  if (categorical.size() == count) return categorical;
  return Fail(ErrorKind::kUnsupported,
              "the model has the categories of {} columns, but {} text columns and {} categorical features: "
              "which belong together cannot be told",
              count, texts.size(), categorical.size());
}

/// The features' columns, and the codes of those that are pandas categories.
Result<Inputs> ReadInputs(const LightGbmText& text, const MlModel& mlmodel) {
  ASSIGN(auto specs, InputsFor(mlmodel, text.feature_names));
  if (!text.pandas_categorical.empty() && !mlmodel.signature)
    return Fail(ErrorKind::kUnsupported,
                "a model with categories needs a signature: save it with signature=infer_signature(…)");
  ASSIGN(auto features, CategoryFeatures(text, specs));
  Inputs inputs(std::move(specs));
  for (size_t i = 0; i < features.size(); ++i) {
    auto& codes = inputs.codes[features[i]].emplace();
    for (const auto& category : text.pandas_categorical[i]) codes.Add(category, static_cast<double>(codes.size()));
  }
  return inputs;
}

std::filesystem::path FileOf(const MlModel& mlmodel) {
  const auto& settings = mlmodel.flavors.at("lightgbm");
  auto data = settings.find("data");
  return mlmodel.folder / (data == settings.end() ? "model.lgb" : data->second);
}

/// `[2, rows]`: 1 - p and p.
Result<std::shared_ptr<arrow::Buffer>> BothOf(const arrow::Buffer& sums, int64_t rows) {
  ARROW_ASSIGN(std::shared_ptr<arrow::Buffer> both,
               arrow::AllocateBuffer(2 * rows * static_cast<int64_t>(sizeof(double))));
  const auto* p = sums.data_as<double>();
  std::transform(p, p + rows, both->mutable_data_as<double>(), [](double one) { return 1.0 - one; });
  std::copy_n(p, rows, both->mutable_data_as<double>() + rows);
  return both;
}

}  // namespace

bool IsPickledLightGbm(const MlModel& mlmodel) {
  auto extension = FileOf(mlmodel).extension();
  return extension == ".pkl" || extension == ".skops";
}

Result<std::unique_ptr<Model>> LoadLightGbm(const MlModel& mlmodel) {
  auto file = FileOf(mlmodel);
  ASSIGN(auto bytes, ReadFile(file, kLargestModel));
  return MakeLightGbm(mlmodel, bytes, nullptr, nullptr, file.string());
}

Result<std::unique_ptr<Model>> MakeLightGbm(const MlModel& mlmodel, std::string_view bytes,
                                            const std::shared_ptr<arrow::Array>& labels, const BeforeTrees& before,
                                            const std::string& where) {
  ASSIGN(auto text, Wrap(ParseLightGbmText(bytes), where));
  ASSIGN(auto ensemble, Wrap(ToEnsemble(text), where));
  ForestModelParts parts;
  if (before) {
    if (!text.pandas_categorical.empty()) return Fail(ErrorKind::kUnsupported, "pandas categories behind other steps");
    TRY(before(ensemble, parts.inputs));
  } else {
    ASSIGN(parts.inputs, ReadInputs(text, mlmodel));
  }
  int outputs = text.num_tree_per_iteration;
  if (labels != nullptr && labels->length() != std::max(outputs, 2))
    return Fail(ErrorKind::kCorrupt, "{}: {} labels", where, labels->length());
  parts.outputs = PredictionSchema(labels != nullptr ? 1 : static_cast<size_t>(outputs),
                                   labels != nullptr ? labels->type() : arrow::float64());
  parts.probabilities = mlmodel.extras.probabilities;
  if (parts.probabilities && labels == nullptr) return NoLabels(where);
  if (parts.probabilities) {
    ASSIGN(parts.outputs, WithProbabilities(*parts.outputs, *labels, arrow::float64()));
  }
  parts.convert = [text, labels, outputs, probabilities = parts.probabilities](
                      const std::shared_ptr<arrow::Buffer>& sums, int64_t rows) -> Result<arrow::ArrayVector> {
    ConvertRows(text, sums->mutable_data_as<double>(), static_cast<size_t>(rows));
    if (labels == nullptr) return DoubleColumns(sums, outputs, rows);
    // Of two classes there is one probability p, and the other is 1 - p.
    auto of_each = sums;
    if (outputs == 1) {
      ASSIGN(of_each, BothOf(*sums, rows));
    }
    auto count = static_cast<size_t>(labels->length());
    ASSIGN(auto columns,
           PickLabels(*labels, rows, FirstLargest{of_each->data_as<double>(), count, static_cast<size_t>(rows)}));
    if (probabilities) std::ranges::move(DoubleColumns(of_each, labels->length(), rows), std::back_inserter(columns));
    return columns;
  };
  parts.contributions = mlmodel.extras.contributions;
  if (text.average_output) parts.contribution_scale = 1 / static_cast<double>(text.iterations);
  return Wrap(MakeForestModel(std::move(ensemble), std::move(parts)), where);
}

}  // namespace slipway::model
