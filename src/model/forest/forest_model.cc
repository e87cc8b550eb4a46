#include "model/forest/forest_model.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "base/arrow.h"
#include "base/format.h"
#include "model/forest/contributions.h"
#include "model/forest/edge_rows.h"
#include "model/predictions/predictions.h"

namespace slipway::model {
namespace {

class ForestModel final : public Model {
 public:
  ForestModel(Forest forest, std::optional<Contributions> contributions, ForestModelParts parts)
      : forest_(std::move(forest)), contributions_(std::move(contributions)), parts_(std::move(parts)) {}

  const std::vector<ColumnSpec>& inputs() const override { return parts_.inputs.specs; }
  const std::shared_ptr<arrow::Schema>& outputs() const override { return parts_.outputs; }

  Result<std::shared_ptr<arrow::RecordBatch>> EdgeRows(int64_t most) const override {
    std::vector<std::vector<double>> decides_by;
    for (uint32_t f = 0; f < parts_.inputs.size(); ++f) decides_by.push_back(forest_.DecidesBy(f));
    return EdgeRowsOf(parts_.inputs, decides_by, most);
  }

  EngineChoice engine() const override { return {.engine = Engine::kForest}; }
  bool has_extras() const override { return parts_.probabilities || contributions_.has_value(); }

  std::vector<std::string> pandas_categories() const override {
    std::vector<std::string> names;
    for (size_t f = 0; parts_.codes_are_pandas && f < parts_.inputs.size(); ++f)
      if (parts_.inputs.codes[f]) names.push_back(parts_.inputs.specs[f].name);
    return names;
  }

  std::vector<Fact> facts() const override {
    const auto& shape = forest_.shape();
    return {{"engine", std::string(ToString(engine().engine))},
            {"trees", fmt::to_string(shape.trees)},
            {"leaves", fmt::to_string(shape.leaves)},
            {"most leaves of a tree", fmt::to_string(shape.most_leaves)},
            {"features", fmt::to_string(forest_.ensemble().features)},
            {"thresholds", fmt::to_string(shape.thresholds)},
            {"rank columns", fmt::to_string(shape.columns)},
            {"gates of the circuit", fmt::to_string(shape.gates)},
            {"bytes of machine code", shape.code_bytes == 0 ? "none: interpreted" : fmt::to_string(shape.code_bytes)},
            {"planes of the circuit", fmt::to_string(shape.planes)}};
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Score(const arrow::RecordBatch& batch) const override {
    std::shared_ptr<arrow::Buffer> shares;
    size_t outputs = forest_.ensemble().outputs, columns = outputs * (parts_.inputs.size() + 1);
    if (contributions_) {
      ARROW_ASSIGN(shares, arrow::AllocateBuffer(batch.num_rows() * static_cast<int64_t>(columns * sizeof(double))));
    }
    ASSIGN(auto sums, Sum(batch, shares == nullptr ? nullptr : shares->mutable_data_as<double>()));
    ASSIGN(auto predictions, parts_.convert(sums, batch.num_rows()));
    if (contributions_)
      std::ranges::move(DoubleColumns(shares, static_cast<int64_t>(columns), batch.num_rows()),
                        std::back_inserter(predictions));
    return arrow::RecordBatch::Make(parts_.outputs, batch.num_rows(), std::move(predictions));
  }

  Result<Spread> SpreadOf(const arrow::RecordBatch& batch) const override {
    if (parts_.spread == nullptr) return Spread();
    ASSIGN(auto sums, Sum(batch, nullptr));
    return parts_.spread(sums->data_as<double>(), static_cast<size_t>(batch.num_rows()));
  }

 private:
  /// `[outputs, rows]`; with contributions to `shares`, where that is not null.
  Result<std::shared_ptr<arrow::Buffer>> Sum(const arrow::RecordBatch& batch, double* shares) const {
    ASSIGN(auto columns, parts_.inputs.ColumnsOf(batch));
    auto rows = static_cast<size_t>(batch.num_rows());
    size_t outputs = forest_.ensemble().outputs;
    ARROW_ASSIGN(std::shared_ptr<arrow::Buffer> sums,
                 arrow::AllocateBuffer(static_cast<int64_t>(outputs * rows * sizeof(double))));
    auto scratch = forest_.TakeScratch();
    std::vector<Inputs::Scratch> converted;
    std::vector<Values> features;
    for (size_t first = 0; first < rows; first += forest_.block()) {
      auto count = std::min(forest_.block(), rows - first);
      TRY(parts_.inputs.Read(columns, static_cast<int64_t>(first), static_cast<int64_t>(count),
                             forest_.ensemble().input, converted, features));
      forest_.Sum(features, count, *scratch, sums->mutable_data_as<double>() + first, rows);
      if (shares != nullptr) Contribute(features, count, shares + first, rows);
    }
    return sums;
  }

  /// Contributions of `rows` rows and the expected value: `[outputs, features + 1, stride]`.
  void Contribute(const std::vector<Values>& features, size_t rows, double* out, size_t stride) const {
    size_t outputs = forest_.ensemble().outputs, count = features.size();
    Contributions::Scratch scratch;
    std::vector<double> block(outputs * count * kContributionBlock);
    auto part = features;
    for (size_t first = 0; first < rows; first += kContributionBlock) {
      auto now = std::min(kContributionBlock, rows - first);
      for (size_t f = 0; f < count; ++f)
        part[f] = features[f].floats != nullptr ? Values{features[f].floats + first, nullptr}
                                                : Values{nullptr, features[f].doubles + first};
      contributions_->Compute(part, now, scratch, block.data());
      for (size_t k = 0; k < outputs; ++k) {
        double* of_output = out + k * (count + 1) * stride + first;
        for (size_t f = 0; f < count; ++f)
          for (size_t row = 0; row < now; ++row)
            of_output[f * stride + row] = parts_.contribution_scale * block[(k * count + f) * kContributionBlock + row];
        double add = parts_.contribution_add.empty() ? 0 : parts_.contribution_add[k];
        std::fill_n(of_output + count * stride, now, parts_.contribution_scale * contributions_->expected()[k] + add);
      }
    }
  }

  Forest forest_;
  std::optional<Contributions> contributions_;
  ForestModelParts parts_;
};

Result<std::shared_ptr<arrow::Schema>> WithContributions(const arrow::Schema& predictions,
                                                         const std::vector<ColumnSpec>& inputs, size_t outputs) {
  auto fields = predictions.fields();
  std::set<std::string> names;
  for (const auto& field : fields) names.insert(field->name());
  for (size_t k = 0; k < outputs; ++k) {
    for (size_t f = 0; f <= inputs.size(); ++f) {
      auto name = f < inputs.size() ? "contribution_" + inputs[f].name : "expected_value";
      if (outputs > 1) name += fmt::format("_{}", k);
      if (!names.insert(name).second)
        return Fail(ErrorKind::kUnsupported, "contributions: two columns would be called '{}'", name);
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
    ASSIGN(parts.outputs, WithContributions(*parts.outputs, parts.inputs.specs, ensemble.outputs));
  }
  ASSIGN(auto forest, Forest::Compile(std::move(ensemble)));
  return std::make_unique<ForestModel>(std::move(forest), std::move(contributions), std::move(parts));
}

}  // namespace slipway::model
