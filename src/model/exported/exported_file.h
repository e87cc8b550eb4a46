#pragma once

#include <arrow/type_fwd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/forest/ensemble.h"

namespace slipway::model {

/// What export.py wrote of a model: its trees, and how sums become predictions, in this order.
struct ExportedFile {
  std::string lightgbm;  ///< the text of a LightGBM model, which stands for everything but the labels
  Ensemble ensemble;
  bool refuses_nan = false, refuses_infinity = false;  ///< the library raises an error on such inputs
  std::optional<double> divide;                        ///< sums are divided by it
  std::optional<double> scale;                         ///< sums become scale * sum + bias
  std::vector<double> bias;                            ///< [outputs]
  enum class Pick { kValues, kArgmax, kAtLeast } pick = Pick::kValues;
  bool shares = false;                   ///< kArgmax: of the labels' probabilities
  double at_least = 0;                   ///< kAtLeast: the second label from this value on
  std::shared_ptr<arrow::Array> labels;  ///< null: predictions are values
};

/// kCorrupt: not such a file.
Result<ExportedFile> ParseExportedFile(std::string bytes);
/// The same from a file, at most 4 GiB.
Result<ExportedFile> ReadExportedFile(const std::filesystem::path& file);

}  // namespace slipway::model
