#pragma once

#include <memory>
#include <vector>

#include "model/predictions/answers.h"
#include "model/preprocessing/derived_column.h"

namespace slipway::model {

/// A linear model: base + Σ weight × column, `[outputs][columns]`.
struct LinearSpec {
  std::vector<double> base;
  std::vector<std::vector<double>> weights;
  bool single = false;  ///< the library computes in float32
};

/// scikit-learn's linear models over what a pipeline makes of the rows. Each row's sum is base + Σ weight × column, in
/// doubles: the columns of numbers one after another, then for each input of categories what its columns add together.
/// It is the same whatever batch the row is in. scikit-learn's own sums are BLAS's, whose order depends on the batch
/// and the machine; SpreadOf says how far that reaches: 2 (columns + 2) ε Σ |weight × column|. kCorrupt: `columns` do
/// not fit `inputs`.
Result<std::unique_ptr<Model>> MakeLinearModel(LinearSpec linear, std::vector<DerivedColumn> columns, Inputs inputs,
                                               Answers answers);

}  // namespace slipway::model
