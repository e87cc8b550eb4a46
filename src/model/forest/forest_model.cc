#include "model/forest/forest_model.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>

#include "base/arrow.h"
#include "base/format.h"
#include "model/forest/contributions.h"
#include "model/forest/edge_rows.h"

namespace slipway::model {
namespace {

class ForestModel final : public Model {
 public:
  ForestModel(Forest forest, std::optional<Contributions> contributions, ForestModelParts parts)
      : forest_(std::move(forest)), contributions_(std::move(contributions)), parts_(std::move(parts)) {
    for (auto& codes : parts_.codes) readers_.emplace_back(forest_.ensemble().input, std::move(codes));
  }

  const std::vector<ColumnSpec>& inputs() const override { return parts_.inputs; }
  const std::shared_ptr<arrow::Schema>& outputs() const override { return parts_.outputs; }

  Result<std::shared_ptr<arrow::RecordBatch>> EdgeRows(int64_t most) const override { return EdgeRowsOf(forest_, parts_, readers_, most); }

  bool has_extras() const override { return parts_.probabilities || contributions_.has_value(); }

  std::vector<Fact> facts() const override {
    const auto& shape = forest_.shape();
    return {{"engine", "forest"},
            {"trees", fmt::to_string(shape.trees)},
            {"leaves", fmt::to_string(shape.leaves)},
            {"most leaves of a tree", fmt::to_string(shape.most_leaves)},
            {"features", fmt::to_string(forest_.ensemble().features)},
            {"thresholds", fmt::to_string(shape.thresholds)},
            {"rank columns", fmt::to_string(shape.columns)},
            {"gates of the circuit", fmt::to_string(shape.gates)},
            {"planes of the circuit", fmt::to_string(shape.planes)}};
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Score(const arrow::RecordBatch& batch) const override {
    std::vector<std::shared_ptr<arrow::Array>> columns;
    for (size_t f = 0; f < readers_.size(); ++f) {
      const auto& name = parts_.inputs[f].name;
      auto column = batch.GetColumnByName(name);
      if (column == nullptr) return Fail(ErrorKind::kInternal, "the rows lack the feature '{}'", name);
      const auto* encoded =
          column->type_id() == arrow::Type::DICTIONARY ? static_cast<const arrow::DictionaryType*>(column->type().get()) : nullptr;
      bool text = (encoded != nullptr ? encoded->value_type()->id() : column->type_id()) == arrow::Type::STRING;
      if (!FeatureReader::Reads(*column->type()) || (text && readers_[f].codes() == nullptr))
        return Fail(ErrorKind::kInvalid, "the feature '{}' cannot be {}", name, column->type()->ToString());
      columns.push_back(std::move(column));
    }
    auto rows = static_cast<size_t>(batch.num_rows());
    size_t outputs = forest_.ensemble().outputs;
    ARROW_ASSIGN(std::shared_ptr<arrow::Buffer> sums, arrow::AllocateBuffer(static_cast<int64_t>(outputs * rows * sizeof(double))));
    auto scratch = forest_.NewScratch();
    std::vector<FeatureReader::Scratch> converted(columns.size());
    std::vector<Values> features(columns.size());
    std::shared_ptr<arrow::Buffer> shares;
    if (contributions_) {
      auto bytes = outputs * (columns.size() + 1) * rows * sizeof(double);
      ARROW_ASSIGN(shares, arrow::AllocateBuffer(static_cast<int64_t>(bytes)));
    }
    for (size_t first = 0; first < rows; first += forest_.block()) {
      auto count = std::min(forest_.block(), rows - first);
      for (size_t f = 0; f < columns.size(); ++f)
        features[f] = readers_[f].Read(*columns[f], static_cast<int64_t>(first), static_cast<int64_t>(count), converted[f]);
      TRY(CheckValues(features, count));
      forest_.Sum(features, count, *scratch, sums->mutable_data_as<double>() + first, rows);
      if (contributions_) Contribute(features, count, shares->mutable_data_as<double>() + first, rows);
    }
    ASSIGN(auto predictions, parts_.convert(sums, batch.num_rows()));
    if (contributions_)
      std::ranges::move(DoubleColumns(shares, static_cast<int64_t>(outputs * (columns.size() + 1)), batch.num_rows()),
                        std::back_inserter(predictions));
    return arrow::RecordBatch::Make(parts_.outputs, batch.num_rows(), std::move(predictions));
  }

 private:
  /// Contributions of `rows` rows and the expected value: `[outputs, features + 1, stride]`.
  void Contribute(const std::vector<Values>& features, size_t rows, double* out, size_t stride) const {
    size_t outputs = forest_.ensemble().outputs, count = features.size();
    Contributions::Scratch scratch;
    std::vector<double> few(outputs * count * kContributionBlock);
    auto some = features;
    for (size_t first = 0; first < rows; first += kContributionBlock) {
      auto now = std::min(kContributionBlock, rows - first);
      for (size_t f = 0; f < count; ++f)
        some[f] =
            features[f].floats != nullptr ? Values{features[f].floats + first, nullptr} : Values{nullptr, features[f].doubles + first};
      contributions_->Compute(some, now, scratch, few.data());
      for (size_t k = 0; k < outputs; ++k) {
        double* of_output = out + k * (count + 1) * stride + first;
        for (size_t f = 0; f < count; ++f)
          for (size_t row = 0; row < now; ++row)
            of_output[f * stride + row] = parts_.contribution_scale * few[(k * count + f) * kContributionBlock + row];
        double add = parts_.contribution_add.empty() ? 0 : parts_.contribution_add[k];
        std::fill_n(of_output + count * stride, now, parts_.contribution_scale * contributions_->expected()[k] + add);
      }
    }
  }

  /// An error where the library would raise one.
  Result<> CheckValues(const std::vector<Values>& features, size_t rows) const {
    if (!parts_.refuses_nan && !parts_.refuses_infinity) return {};
    for (size_t f = 0; f < features.size(); ++f) {
      bool nan = false, infinity = false;
      auto look = [&](const auto* values) {
        for (size_t row = 0; row < rows; ++row) {
          nan |= std::isnan(values[row]);
          infinity |= std::isinf(values[row]);
        }
      };
      features[f].floats != nullptr ? look(features[f].floats) : look(features[f].doubles);
      if (nan && parts_.refuses_nan)
        return Fail(ErrorKind::kInvalid, "the model takes no missing values, but '{}' has some", parts_.inputs[f].name);
      if (infinity && parts_.refuses_infinity)
        return Fail(ErrorKind::kInvalid, "the model takes no infinite values, or too large for float32, but '{}' has some",
                    parts_.inputs[f].name);
    }
    return {};
  }

  Forest forest_;
  std::optional<Contributions> contributions_;
  ForestModelParts parts_;
  std::vector<FeatureReader> readers_;
};

Result<std::shared_ptr<arrow::Schema>> WithContributions(const arrow::Schema& predictions, const std::vector<ColumnSpec>& inputs,
                                                         size_t outputs) {
  auto fields = predictions.fields();
  std::set<std::string> names;
  for (const auto& field : fields) names.insert(field->name());
  for (size_t k = 0; k < outputs; ++k) {
    for (size_t f = 0; f <= inputs.size(); ++f) {
      auto name = f < inputs.size() ? "contribution_" + inputs[f].name : "expected_value";
      if (outputs > 1) name += fmt::format("_{}", k);
      if (!names.insert(name).second) return Fail(ErrorKind::kUnsupported, "contributions: two columns would be called '{}'", name);
      fields.push_back(arrow::field(name, arrow::float64(), false));
    }
  }
  return arrow::schema(std::move(fields));
}

}  // namespace

Result<std::unique_ptr<Model>> MakeForestModel(Ensemble ensemble, ForestModelParts parts) {
  std::optional<Contributions> contributions;
  if (parts.contributions) {
    ASSIGN(contributions, Contributions::Of(ensemble));
    ASSIGN(parts.outputs, WithContributions(*parts.outputs, parts.inputs, ensemble.outputs));
  }
  ASSIGN(auto forest, Forest::Compile(std::move(ensemble)));
  return std::make_unique<ForestModel>(std::move(forest), std::move(contributions), std::move(parts));
}

std::shared_ptr<arrow::Schema> PredictionSchema(size_t outputs, const std::shared_ptr<arrow::DataType>& type) {
  arrow::FieldVector fields;
  for (size_t k = 0; k < outputs; ++k)
    fields.push_back(arrow::field(outputs == 1 ? "prediction" : fmt::format("prediction_{}", k), type, false));
  return arrow::schema(std::move(fields));
}

arrow::ArrayVector DoubleColumns(const std::shared_ptr<arrow::Buffer>& values, int64_t columns, int64_t rows) {
  arrow::ArrayVector arrays;
  auto bytes = rows * static_cast<int64_t>(sizeof(double));
  for (int64_t k = 0; k < columns; ++k)
    arrays.push_back(std::make_shared<arrow::DoubleArray>(rows, arrow::SliceBuffer(values, k * bytes, bytes)));
  return arrays;
}

}  // namespace slipway::model
