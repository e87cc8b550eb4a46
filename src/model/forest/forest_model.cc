#include "model/forest/forest_model.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <cmath>

#include "base/arrow.h"
#include "base/format.h"
#include "model/forest/edge_rows.h"

namespace slipway::model {
namespace {

class ForestModel final : public Model {
 public:
  ForestModel(Forest forest, ForestModelParts parts) : forest_(std::move(forest)), parts_(std::move(parts)) {
    for (auto& codes : parts_.codes) readers_.emplace_back(forest_.ensemble().input, std::move(codes));
  }

  const std::vector<ColumnSpec>& inputs() const override { return parts_.inputs; }
  const std::shared_ptr<arrow::Schema>& outputs() const override { return parts_.outputs; }

  Result<std::shared_ptr<arrow::RecordBatch>> EdgeRows(int64_t most) const override { return EdgeRowsOf(forest_, parts_, readers_, most); }

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
    for (size_t first = 0; first < rows; first += forest_.block()) {
      auto count = std::min(forest_.block(), rows - first);
      for (size_t f = 0; f < columns.size(); ++f)
        features[f] = readers_[f].Read(*columns[f], static_cast<int64_t>(first), static_cast<int64_t>(count), converted[f]);
      TRY(CheckValues(features, count));
      forest_.Sum(features, count, *scratch, sums->mutable_data_as<double>() + first, rows);
    }
    ASSIGN(auto predictions, parts_.convert(sums, batch.num_rows()));
    return arrow::RecordBatch::Make(parts_.outputs, batch.num_rows(), std::move(predictions));
  }

 private:
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
  ForestModelParts parts_;
  std::vector<FeatureReader> readers_;
};

}  // namespace

std::unique_ptr<Model> MakeForestModel(Forest forest, ForestModelParts parts) {
  return std::make_unique<ForestModel>(std::move(forest), std::move(parts));
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
