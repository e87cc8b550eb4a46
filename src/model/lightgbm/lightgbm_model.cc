#include "model/lightgbm/lightgbm_model.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/type.h>

#include <algorithm>
#include <charconv>
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

/// Whether a feature may be a pandas category with this list: LightGBM was given its codes, and the file tells which
/// values each feature had: "[0:2]" of numbers, which a category with an order is, "-1:0:1:2" of categories.
bool CanHave(const Categories& list, const ColumnSpec& spec, std::string_view info) {
  if ((ColumnTypeOf(spec.type) == ColumnType::kString) != list.texts) return false;
  if (info == "none") return true;  // it was always the same, so that no tree asks for it
  const bool ordered = info.starts_with('[');
  const double least = ordered ? 0 : -1, most = static_cast<double>(list.values.size()) - 1;
  for (size_t at = ordered ? 1 : 0; at < info.size();) {
    double value = 0;
    auto [end, error] = std::from_chars(info.data() + at, info.data() + info.size(), value);
    if (error != std::errc() || !(value >= least && value <= most) || value != std::trunc(value)) return false;
    at = static_cast<size_t>(end - info.data()) + 1;
  }
  return true;
}

/// Which features the lists of `pandas_categorical` belong to, in order. Every text column is a category, since
/// LightGBM takes no other text. Where more than one way is left, any would be a guess.
Result<std::vector<size_t>> CategoryFeatures(const LightGbmText& text, const std::vector<ColumnSpec>& inputs) {
  const auto& lists = text.pandas_categorical;
  // ways[f][i]: in how many ways (2: several) the lists from the i-th on can be those of the features from f on.
  std::vector<std::vector<int>> ways(inputs.size() + 1, std::vector<int>(lists.size() + 1, 0));
  ways[inputs.size()][lists.size()] = 1;
  auto takes = [&](size_t f, size_t i) {
    return i < lists.size() && CanHave(lists[i], inputs[f], text.feature_infos[f]) ? ways[f + 1][i + 1] : 0;
  };
  for (size_t f = inputs.size(); f-- > 0;)
    for (size_t i = 0; i <= lists.size(); ++i)
      ways[f][i] =
          std::min(2, takes(f, i) + (ColumnTypeOf(inputs[f].type) == ColumnType::kString ? 0 : ways[f + 1][i]));
  if (ways[0][0] != 1)
    return Fail(ErrorKind::kUnsupported,
                "the model has the categories of {} columns, and {}: train it with categories that are text, or with "
                "numbers in place of categories",
                lists.size(),
                ways[0][0] == 0 ? "its signature has no such columns" : "which columns those are cannot be told");
  std::vector<size_t> features;
  for (size_t f = 0; features.size() < lists.size(); ++f)
    if (takes(f, features.size()) > 0) features.push_back(f);
  return features;
}

/// LightGBM takes columns by position, whatever they are called: pyfunc would give it one column as another.
Result<> CheckOrder(const LightGbmText& text, const std::vector<ColumnSpec>& inputs) {
  std::vector<std::string> names;
  for (const auto& input : inputs) {
    names.push_back(input.name);
    std::ranges::replace(names.back(), ' ', '_');  // as LightGBM writes them
  }
  if (names == text.feature_names || !std::ranges::is_permutation(names, text.feature_names)) return {};
  auto [ours, theirs] = std::ranges::mismatch(names, text.feature_names);
  return Fail(
      ErrorKind::kInvalid,
      "the signature's columns stand in another order than those that the model was trained with, and LightGBM "
      "takes columns by position: '{}' would be given as '{}'. Log the model with a signature inferred from the "
      "columns that it was trained with",
      *ours, *theirs);
}

/// The features' columns, and the codes of those that are pandas categories.
Result<Inputs> ReadInputs(const LightGbmText& text, const MlModel& mlmodel) {
  ASSIGN(auto specs, InputsFor(mlmodel, text.feature_names));
  if (!text.pandas_categorical.empty() && !mlmodel.signature)
    return Fail(ErrorKind::kUnsupported,
                "a model with categories needs a signature: save it with signature=infer_signature(…)");
  TRY(CheckOrder(text, specs));
  ASSIGN(auto features, CategoryFeatures(text, specs));
  Inputs inputs(std::move(specs));
  for (size_t i = 0; i < features.size(); ++i) {
    auto& codes = inputs.codes[features[i]].emplace();
    for (const auto& category : text.pandas_categorical[i].values)
      codes.Add(category, static_cast<double>(codes.size()));
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
    parts.codes_are_pandas = true;
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
