#include "model/exported/exported_file.h"
#include "model/preprocessing/fold.h"
#include "score_ensemble.h"

namespace {

using namespace slipway::model;

/// The inputs that such a file speaks of.
Inputs InputsOf(const ExportedFile& file) {
  Inputs inputs(std::vector<ColumnSpec>(file.inputs.size()));
  for (size_t f = 0; f < file.inputs.size(); ++f) {
    if (!file.inputs[f].categories) continue;
    auto& codes = inputs.codes[f].emplace();
    for (const auto& category : *file.inputs[f].categories) codes.Add(category, static_cast<double>(codes.size()));
    codes.other = static_cast<double>(codes.size());
  }
  return inputs;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto file = ParseExportedFile({reinterpret_cast<const char*>(data), size});
  if (!file || !file->lightgbm.empty() || !file->xgboost.empty()) return 0;
  auto inputs = InputsOf(*file);
  if (!file->columns.empty() && !Check(file->columns, inputs)) return 0;
  if (file->linear) {
    std::vector<double> values{-1e300, -1, 0, 0.5, 1e300, std::nan("")};
    for (const auto& column : file->columns) Apply(column.steps, values);
  } else if (file->columns.empty()) {
    ScoreEnsemble(std::move(file->ensemble));
  } else {
    ScoreEnsemble(Fold(std::move(file->ensemble), file->columns, file->refuses_nan, file->refuses_infinity, inputs));
  }
  return 0;
}
