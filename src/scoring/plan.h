#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "expression/filter.h"
#include "model/model.h"
#include "scoring/problem.h"
#include "scoring/sources.h"

namespace slipway::scoring {

/// One column of the predictions, and where its values come from.
struct OutputColumn {
  enum class From { kSource, kPrediction, kScoredAt, kModelName, kModelVersion, kRunId, kDeployment, kNull };
  iceberg::Field field;  ///< in the target's schema
  From from = From::kNull;
  std::string name;  ///< of the source or prediction column
};

/// Everything that is decided before the first row is read. Create with `validate_only`, create and the run itself make
/// the same plan, so that what is accepted is what runs.
struct Plan {
  registry::ModelVersion model_version;
  std::shared_ptr<const model::Model> model;
  iceberg::Table source;
  std::optional<expression::Filter> filter;
  std::vector<iceberg::Field> read;  ///< the source columns that model, filter and output need
  iceberg::Table target;             ///< `metadata_location` is empty where the run will create it
  std::vector<OutputColumn> output;  ///< in the order of the target's schema
  int partition_field_id = 0;        ///< the target's column that says which rows a rerun replaces

  /// The target's column that says which deployment wrote a row; null where it has none.
  const iceberg::Field* DeploymentField() const;
};

/// What a plan is made for again, in another process of the same run.
struct PlanAgain {
  int source_schema_id = 0;
  iceberg::Table target;  ///< the state that the first plan was made for
};

/// The instant that a run stands for, and what else of its schedule a plan depends on.
struct When {
  Timestamp logical_date;
  Window window;
};

/// Plans a run of `work`. All problems that can be found at once come back together; what is wrong
/// with the work itself comes first, before anything is looked up. `again`: what another plan of the same run was made
/// for.
std::expected<Plan, std::vector<Problem>> MakePlan(const Work& work, const Sources& sources, const When& when,
                                                   const Clock& clock, std::optional<PlanAgain> again = {});

/// The problems in one message, for a run that failed on them.
Error ToError(const std::vector<Problem>& problems);

}  // namespace slipway::scoring
