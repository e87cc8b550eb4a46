#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <vector>

#include "iceberg/predicate.h"
#include "iceberg/schema.h"

namespace slipway::iceberg {

/// For each row of a batch whether it matches. `fields` are the batch's columns, in its order; a column that is not
/// among them is null. kUnsupported: a comparison with a column whose values have no order here (nested), and one of
/// the order of decimals.
Result<std::shared_ptr<arrow::BooleanArray>> Mask(const Predicate& predicate, const arrow::RecordBatch& batch,
                                                  const std::vector<Field>& fields);

/// The rows of a batch that match, or those that do not, in order.
enum class Rows { kMatching, kOthers };
Result<std::shared_ptr<arrow::RecordBatch>> Take(Rows which, const Predicate& predicate,
                                                 const std::shared_ptr<arrow::RecordBatch>& batch,
                                                 const std::vector<Field>& fields);

}  // namespace slipway::iceberg
