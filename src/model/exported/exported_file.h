#pragma once

#include <arrow/type_fwd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/forest/ensemble.h"
#include "model/linear/linear_model.h"
#include "model/predictions/answers.h"

namespace slipway::model {

/// What a pipeline says of an input.
struct InputSpec {
  std::optional<std::vector<std::string>> categories;
  bool refuses_missing = false, refuses_unknown = false, refuses_infinity = false;
};

/// What export.py wrote of a model.
struct ExportedFile {
  std::string lightgbm, xgboost,
      model_class;    ///< the text of such a model, and its class, which stands for trees and answers
  Ensemble ensemble;  ///< without trees: `linear` stands for it
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
