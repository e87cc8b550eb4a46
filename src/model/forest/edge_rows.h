#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <vector>

#include "model/forest/features.h"

namespace slipway::model {

/// At most `most` rows whose columns run through the values that each feature decides by, their neighbours as doubles
/// and floats, categories, one that was never seen, nulls, and the numbers that are special; each column in an order of
/// its own. Without what the library refuses.
Result<std::shared_ptr<arrow::RecordBatch>> EdgeRowsOf(const Inputs& inputs,
                                                       const std::vector<std::vector<double>>& decides_by,
                                                       int64_t most);

}  // namespace slipway::model
