#pragma once

#include "scoring/plan.h"

namespace slipway::scoring {

struct TargetPlan {
  iceberg::Table table;
  std::vector<OutputColumn> output;
  int partition_field_id = 0;
};

/// The target as the catalog has it, checked to take the predictions; or the table that the run will create: entity
/// columns as in the source, the predictions, scored_at, model_name, model_version and run_id, partitioned by day of
/// scored_at or by the partition column's value. kInvalid: an existing schema that does not fit, column by column.
Result<TargetPlan> PlanTargetTable(const Work& work, const iceberg::Schema& source, const model::Model& model,
                                   iceberg::Catalog& catalog, const Clock& clock);

}  // namespace slipway::scoring
