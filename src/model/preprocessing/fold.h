#pragma once

#include <vector>

#include "model/forest/ensemble.h"
#include "model/preprocessing/derived_column.h"

namespace slipway::model {

/// The same trees over the inputs themselves: a threshold on a derived column becomes the largest input that still goes
/// left, found with the steps' own arithmetic; a split of what encoders made becomes a set of categories. Preprocessing
/// then costs nothing, and rows go the same way to the last bit. `inputs` learns what the trees refuse: with
/// `refuses_nan` and `refuses_infinity` NaN and what is infinite in their precision, in any derived column.
/// kUnsupported: linear leaves, or LightGBM's zeros as missing, over columns that have steps.
Result<Ensemble> Fold(Ensemble ensemble, const std::vector<DerivedColumn>& columns, bool refuses_nan,
                      bool refuses_infinity, Inputs& inputs);

}  // namespace slipway::model
