#pragma once

#include "scoring/plan.h"

namespace slipway::scoring {

/// The column that says which deployment (`model/name`) wrote a row: a text. Tables of earlier versions have none.
inline constexpr std::string_view kDeploymentColumn = "deployment";

/// By what of `scored_at` a new target is partitioned.
enum class Partition { kDay, kHour };

struct TargetPlan {
  iceberg::Table table;
  std::vector<OutputColumn> output;
  int partition_field_id = 0;
};

/// The target as the catalog has it, checked to take the predictions; or the table that the run will create: entity
/// columns as in the source, the predictions, scored_at, model_name, model_version, run_id and deployment, partitioned
/// by day or hour of scored_at, or by the partition column's value. kInvalid: an existing schema that does not fit,
/// column by column.
Result<TargetPlan> PlanTargetTable(const Work& work, const iceberg::Schema& source, const model::Model& model,
                                   iceberg::Catalog& catalog, Partition partition, const Clock& clock);

/// The same for a state of the target that is given: one that exists, or that was staged.
Result<TargetPlan> PlanForTarget(const Work& work, const iceberg::Schema& source, const model::Model& model,
                                 iceberg::Table target);

/// The plan's target as its first commit will create it: the catalog has a say in locations and field ids.
Result<> StageTarget(Plan& plan, iceberg::Catalog& catalog);

}  // namespace slipway::scoring
