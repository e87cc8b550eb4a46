#include "scoring/target.h"

#include <arrow/type.h>

#include <algorithm>

#include "base/format.h"

namespace slipway::scoring {
namespace {

using From = OutputColumn::From;
using iceberg::Type;
using iceberg::TypeId;

bool Has(const std::vector<OutputColumn>& columns, std::string_view name) {
  return std::ranges::any_of(columns, [&](const OutputColumn& c) { return c.field.name == name; });
}

/// The columns that every target has, with ids from 1.
Result<std::vector<OutputColumn>> WantedColumns(const Work& work, const iceberg::Schema& source,
                                                const model::Model& model) {
  std::vector<OutputColumn> columns;
  auto add = [&](std::string name, Type type, From from, bool required) -> Result<> {
    if (name == kDeploymentColumn)
      return Fail(ErrorKind::kInvalid,
                  "the column '{}' says whose rows they are, and cannot come from the source or from the model: give "
                  "it another name there",
                  name);
    if (Has(columns, name)) return Fail(ErrorKind::kInvalid, "the predictions would have two columns '{}'", name);
    columns.push_back({{static_cast<int>(columns.size()) + 1, name, required, type}, from, name});
    return {};
  };
  auto entities = work.entity_columns;
  if (work.partition_column != "scored_at" && std::ranges::find(entities, work.partition_column) == entities.end())
    entities.push_back(work.partition_column);
  for (const auto& name : entities) {
    const auto* field = source.Find(name);
    TRY(add(name, field->type, From::kSource, field->required));
  }
  for (const auto& output : model.outputs()->fields()) {
    ASSIGN(auto type, iceberg::FromArrowType(*output->type()));
    TRY(add(output->name(), type, From::kPrediction, false));
  }
  TRY(add("scored_at", {TypeId::kTimestamptz}, From::kScoredAt, false));
  TRY(add("model_name", {TypeId::kString}, From::kModelName, false));
  TRY(add("model_version", {TypeId::kString}, From::kModelVersion, false));
  TRY(add("run_id", {TypeId::kString}, From::kRunId, false));
  return columns;
}

bool Widens(const Type& from, const Type& to) {
  return from == to || (from.id == TypeId::kInt && to.id == TypeId::kLong) ||
         (from.id == TypeId::kFloat && to.id == TypeId::kDouble);
}

/// Lays the wanted columns out as an existing schema has them.
Result<std::vector<OutputColumn>> FitInto(const iceberg::Table& target, const std::vector<OutputColumn>& wanted) {
  std::vector<OutputColumn> output;
  std::string misfits;
  auto misfit = [&](std::string text) { misfits += (misfits.empty() ? "" : "; ") + text; };
  for (const auto& field : target.metadata.schema.fields) {
    auto same = [&](const OutputColumn& c) { return c.field.name == field.name; };
    auto found = std::ranges::find_if(wanted, same);
    if (found == wanted.end()) {
      if (field.name == kDeploymentColumn && field.type.id == TypeId::kString) {
        output.push_back({field, From::kDeployment, ""});
        continue;
      }
      if (field.required)
        misfit(fmt::format("its column '{}' is required, but the predictions have none", field.name));
      else if (field.type.id == TypeId::kNested)
        misfit(fmt::format("its column '{}' is nested, which cannot be written yet", field.name));
      output.push_back({field, From::kNull, ""});
      continue;
    }
    if (!Widens(found->field.type, field.type))
      misfit(fmt::format("its column '{}' is {}, but the predictions have {}", field.name, ToString(field.type),
                         ToString(found->field.type)));
    output.push_back({field, found->from, found->name});
  }
  for (const auto& column : wanted) {
    if (target.metadata.schema.Find(column.field.name) == nullptr)
      misfit(fmt::format("it has no column '{}'", column.field.name));
  }
  for (const auto& field : target.metadata.DefaultSpec().fields)
    if (field.transform.kind == iceberg::TransformKind::kUnknown)
      misfit(fmt::format("it is partitioned by {} of '{}', which Slipway cannot compute", ToString(field.transform),
                         field.name));
  if (!misfits.empty())
    return Fail(ErrorKind::kInvalid, "the target {} cannot take the predictions: {}", ToString(target.id), misfits);
  return output;
}

}  // namespace

Result<TargetPlan> PlanTargetTable(const Work& work, const iceberg::Schema& source, const model::Model& model,
                                   iceberg::Catalog& catalog, Partition by, const Clock& clock) {
  ASSIGN(auto wanted, WantedColumns(work, source, model));
  iceberg::TableIdentifier id{work.target.schema, work.target.table};
  TargetPlan plan;
  auto existing = catalog.Load(id);
  if (existing) {
    ASSIGN(plan.output, FitInto(*existing, wanted));
    plan.table = std::move(*existing);
  } else if (existing.error().kind == ErrorKind::kNotFound) {
    wanted.push_back({{static_cast<int>(wanted.size()) + 1, std::string(kDeploymentColumn), false, {TypeId::kString}},
                      From::kDeployment,
                      ""});
    iceberg::Schema schema;
    auto next_id = static_cast<int>(wanted.size()) + 1;
    for (auto& column : wanted) {
      if (column.field.type.id == TypeId::kList) column.field.type.element_id = next_id++;
      schema.fields.push_back(column.field);
    }
    const auto* partition = schema.Find(work.partition_column);
    iceberg::PartitionSpec spec;
    if (work.partition_column != "scored_at")
      spec.fields.push_back({partition->id, 1000, partition->name, {iceberg::TransformKind::kIdentity}});
    else if (by == Partition::kHour)
      spec.fields.push_back({partition->id, 1000, "scored_at_hour", {iceberg::TransformKind::kHour}});
    else
      spec.fields.push_back({partition->id, 1000, "scored_at_day", {iceberg::TransformKind::kDay}});
    auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(clock.Now().time_since_epoch()).count();
    ASSIGN(plan.table.metadata, iceberg::NewMetadata("", schema, spec, now_ms));
    plan.table.id = id;
    plan.output = std::move(wanted);
  } else {
    return Failure(existing.error());
  }
  plan.partition_field_id = plan.table.metadata.schema.Find(work.partition_column)->id;
  return plan;
}

Result<TargetPlan> PlanForTarget(const Work& work, const iceberg::Schema& source, const model::Model& model,
                                 iceberg::Table target) {
  ASSIGN(auto wanted, WantedColumns(work, source, model));
  TargetPlan plan;
  ASSIGN(plan.output, FitInto(target, wanted));
  plan.partition_field_id = target.metadata.schema.Find(work.partition_column)->id;
  plan.table = std::move(target);
  return plan;
}

Result<> StageTarget(Plan& plan, iceberg::Catalog& catalog) {
  const auto& planned = plan.target.metadata.schema;
  auto partition = std::ranges::find(planned.fields, plan.partition_field_id, &iceberg::Field::id)->name;
  ASSIGN(auto staged, Wrap(catalog.Stage(plan.target.id, plan.target.metadata), "create " + ToString(plan.target.id)));
  for (auto& column : plan.output) {
    const auto* field = staged.metadata.schema.Find(column.field.name);
    if (field == nullptr)
      return Fail(ErrorKind::kCorrupt, "the catalog made {} without '{}'", ToString(staged.id), column.field.name);
    column.field = *field;
  }
  plan.partition_field_id = staged.metadata.schema.Find(partition)->id;
  plan.target = std::move(staged);
  return {};
}

}  // namespace slipway::scoring
