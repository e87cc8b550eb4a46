#pragma once

#include <arrow/type_fwd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/forest/ensemble.h"
#include "model/preprocessing/derived_column.h"

namespace slipway::model {

/// Which function of the sums probabilities are, or the predictions of a regressor. kSigmoid: of two labels, by one sum; kNormalized: each label's sigmoid, by
/// their sum.
enum class Link { kIdentity, kExp, kSigmoid, kSoftmax, kNormalized };

/// How sums become predictions, in this order.
struct AnswerSpec {
  std::optional<double> divide;  ///< sums are divided by it
  std::optional<double> scale;   ///< sums become scale * sum + bias
  std::vector<double> bias;      ///< [outputs]
  enum class Pick { kValues, kArgmax, kAtLeast } pick = Pick::kValues;
  bool shares = false;  ///< the sums are the labels' probabilities
  Link link = Link::kIdentity;
  double at_least = 0;                   ///< kAtLeast: the second label from this value on
  std::shared_ptr<arrow::Array> labels;  ///< null: predictions are values
};

/// A linear model: base + Σ weight × column, `[outputs][columns]`.
struct LinearSpec {
  std::vector<double> base;
  std::vector<std::vector<double>> weights;
  bool single = false;  ///< the library computes in float32
};

/// What a pipeline says of an input.
struct InputSpec {
  std::optional<std::vector<std::string>> categories;
  bool refuses_missing = false, refuses_unknown = false, refuses_infinity = false;
};

/// What export.py wrote of a model.
struct ExportedFile {
  std::string lightgbm, xgboost, model_class;  ///< the text of such a model, and its class, which stands for trees and answers
  Ensemble ensemble;                           ///< without trees: `linear` stands for it
  std::optional<LinearSpec> linear;
  AnswerSpec answer;
  bool refuses_nan = false, refuses_infinity = false;  ///< the library raises an error on such inputs
  std::vector<InputSpec> inputs;                       ///< of a pipeline, else empty
  std::vector<DerivedColumn> columns;                  ///< what its last step is given
};

/// kCorrupt: not such a file.
Result<ExportedFile> ParseExportedFile(std::string bytes);
/// The same from a file, at most 4 GiB.
Result<ExportedFile> ReadExportedFile(const std::filesystem::path& file);

}  // namespace slipway::model
