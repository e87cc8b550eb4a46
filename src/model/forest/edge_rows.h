#pragma once

#include <arrow/type_fwd.h>

#include <memory>

#include "model/forest/forest_model.h"

namespace slipway::model {

/// At most `most` rows whose columns run through each feature's thresholds, their neighbours as doubles and floats, categories, one that was never
/// seen, and the numbers that are special; each column in an order of its own. Without what the library refuses.
Result<std::shared_ptr<arrow::RecordBatch>> EdgeRowsOf(const Forest& forest, const ForestModelParts& parts,
                                                       const std::vector<FeatureReader>& readers, int64_t most);

}  // namespace slipway::model
