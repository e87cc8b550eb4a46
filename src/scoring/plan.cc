#include "scoring/plan.h"

#include <arrow/type.h>

#include <algorithm>
#include <set>

#include "base/format.h"
#include "base/names.h"
#include "iceberg/scan.h"
#include "scoring/target.h"

namespace slipway::scoring {
namespace {

class Planner {
 public:
  Planner(const Work& work, const Sources& sources, const When& when, const Clock& clock,
          std::optional<PlanAgain> again)
      : work_(work), sources_(sources), when_(when), clock_(clock), again_(std::move(again)) {}

  std::expected<Plan, std::vector<Problem>> Make() {
    CheckWork();
    if (!problems_.empty()) return std::unexpected(std::move(problems_));
    bool model = LoadModel(), source = LoadSource();
    if (source) {
      BindFilter();
      CheckEntities();
    }
    if (model && source) CheckSignature();
    if (model && source && problems_.empty()) PlanTarget();
    if (!problems_.empty()) return std::unexpected(std::move(problems_));
    return std::move(plan_);
  }

 private:
  using Loc = std::vector<std::string>;

  void Add(Loc loc, const Error& error) { problems_.push_back({error.kind, std::move(loc), error.message}); }
  void Invalid(Loc loc, std::string message) {
    problems_.push_back({ErrorKind::kInvalid, std::move(loc), std::move(message)});
  }

  /// What needs no look at any table or model.
  void CheckWork() {
    std::set<std::string> seen;
    if (work_.entity_columns.empty()) Invalid({"entity_columns"}, "at least one entity column is needed");
    for (const auto& name : work_.entity_columns) {
      if (name.empty())
        Invalid({"entity_columns"}, "an entity column has no name");
      else if (!seen.insert(name).second)
        Invalid({"entity_columns"}, fmt::format("the entity column '{}' is repeated", name));
    }
    CheckCatalog({"source", "catalog"}, work_.source.catalog);
    CheckCatalog({"target", "catalog"}, work_.target.catalog);
    CheckPlaceName({"source", "schema"}, "schema", work_.source.schema);
    CheckPlaceName({"source", "table"}, "table", work_.source.table);
    CheckPlaceName({"target", "schema"}, "schema", work_.target.schema);
    CheckPlaceName({"target", "table"}, "table", work_.target.table);
    if (work_.source.filter_sql)
      if (auto read = expression::Filter::CheckSyntax(*work_.source.filter_sql); !read)
        Add({"source", "filter_sql"}, read.error());
  }

  void CheckPlaceName(Loc loc, std::string_view what, const std::string& name) {
    if (auto fits = CheckName(what, name); !fits) Invalid(std::move(loc), fits.error().message);
  }

  void CheckCatalog(Loc loc, const std::string& name) {
    if (auto known = sources_.catalogs.Check(name); !known) Invalid(std::move(loc), known.error().message);
  }

  bool LoadModel() {
    auto version = sources_.registry->Resolve(work_.model);
    if (!version) return Add({"model"}, version.error()), false;
    auto model = sources_.models->Load(*sources_.registry, *version);
    if (!model)
      return Add({"model"}, model.error().Wrap(fmt::format("model {} version {}", version->name, version->version))),
             false;
    plan_.model_version = std::move(*version);
    plan_.model = std::move(*model);
    return true;
  }

  bool LoadSource() {
    if (!sources_.catalogs.Check(work_.source.catalog)) return false;  // said already
    if (!CheckName("", work_.source.schema) || !CheckName("", work_.source.table)) return false;
    auto catalog = sources_.catalogs.Find(work_.source.catalog);
    if (!catalog) return Add({"source", "catalog"}, catalog.error()), false;
    auto table = (*catalog)->Load({work_.source.schema, work_.source.table});
    if (!table) return Add({"source", "table"}, table.error()), false;
    if (work_.source.snapshot_id && table->metadata.FindSnapshot(*work_.source.snapshot_id) == nullptr) {
      Add({"source", "snapshot_id"},
          {ErrorKind::kNotFound,
           fmt::format("table {} has no snapshot {}", ToString(table->id), *work_.source.snapshot_id)});
      return false;
    }
    const auto& metadata = table->metadata;
    // A snapshot is read by the schema that it was written by.
    auto schema = again_                     ? metadata.SchemaById(again_->source_schema_id)
                  : work_.source.snapshot_id ? metadata.SchemaOf(*metadata.FindSnapshot(*work_.source.snapshot_id))
                                             : metadata.schema;
    if (!schema) return Add({"source", "snapshot_id"}, schema.error().Wrap(ToString(table->id))), false;
    table->metadata.schema = std::move(*schema);
    plan_.source = std::move(*table);
    return true;
  }

  void BindFilter() {
    if (!work_.source.filter_sql) return;
    std::vector<iceberg::Field> flat;
    for (const auto& field : plan_.source.metadata.schema.fields)
      if (iceberg::IsScalar(field.type)) flat.push_back(field);
    auto schema = iceberg::ToArrow(flat);
    if (!schema) return Add({"source", "table"}, schema.error());
    auto filter = expression::Filter::Parse(*work_.source.filter_sql, **schema, when_.logical_date);
    if (!filter) return Add({"source", "filter_sql"}, filter.error());
    for (const auto& name : filter->columns()) Need(name);
    plan_.filter = std::move(*filter);
  }

  void CheckEntities() {
    for (const auto& name : work_.entity_columns) {
      if (name.empty()) continue;
      const auto* field = plan_.source.metadata.schema.Find(name);
      if (field == nullptr)
        Invalid({"entity_columns"}, fmt::format("table {} has no column '{}'", ToString(plan_.source.id), name));
      else if (!iceberg::IsScalar(field->type))
        Invalid({"entity_columns"}, fmt::format("the column '{}' is a {}", name, ToString(field->type)));
      else
        Need(name);
    }
    if (work_.partition_column == "scored_at") return;
    if (plan_.source.metadata.schema.Find(work_.partition_column) == nullptr)
      return Invalid({"partition_column"}, fmt::format("'{}' is neither scored_at nor a column of {}",
                                                       work_.partition_column, ToString(plan_.source.id)));
    Need(work_.partition_column);
  }

  void CheckSignature() {
    for (const auto& input : plan_.model->inputs()) {
      const auto* field = plan_.source.metadata.schema.Find(input.name);
      if (field == nullptr && !input.required) continue;
      if (field == nullptr) {
        Invalid({"source", "table"}, fmt::format("the model needs the column '{}' ({}), which {} lacks", input.name,
                                                 input.type, ToString(plan_.source.id)));
        continue;
      }
      auto type = iceberg::ToArrow(field->type);
      if (!type || !model::Feeds(**type, input.type)) {
        Invalid({"source", "table"},
                fmt::format("the model needs the column '{}' as {}, but it is {} in {}, which would lose values",
                            input.name, input.type, iceberg::ToString(field->type), ToString(plan_.source.id)));
        continue;
      }
      Need(input.name);
    }
  }

  void PlanTarget() {
    if (!sources_.catalogs.Check(work_.target.catalog)) return;
    auto catalog = sources_.catalogs.Find(work_.target.catalog);
    if (!catalog) return Add({"target", "catalog"}, catalog.error());
    const auto& columns = plan_.source.metadata.schema;
    auto target = again_ ? PlanForTarget(work_, columns, *plan_.model, std::move(again_->target))
                         : PlanTargetTable(work_, columns, *plan_.model, **catalog,
                                           when_.window.finer_than_a_day ? Partition::kHour : Partition::kDay, clock_);
    if (!target) return Add({"target", "table"}, target.error());
    plan_.target = std::move(target->table);
    plan_.output = std::move(target->output);
    plan_.partition_field_id = target->partition_field_id;
    // It was made, or made anew, by another hand since the deployment was: nothing says whose rows a run would replace.
    if (work_.own_rows.value_or(false) && work_.rerun_behavior == RerunBehavior::kOverwritePartition &&
        plan_.DeploymentField() == nullptr)
      Invalid(
          {"target", "table"},
          fmt::format("the target {0} has no column '{1}', which it had, or was to be made with, when the deployment "
                      "was last created, changed or started: a run would replace everybody's rows. Add the column "
                      "(ALTER TABLE {0} ADD COLUMN {1} string), or stop and start the deployment to go on without",
                      ToString(plan_.target.id), kDeploymentColumn));
  }

  /// Takes a source column into the read, once.
  void Need(const std::string& name) {
    const auto* field = plan_.source.metadata.schema.Find(name);
    auto same = [&](const iceberg::Field& f) { return f.id == field->id; };
    if (field != nullptr && std::ranges::none_of(plan_.read, same)) plan_.read.push_back(*field);
  }

  const Work& work_;
  const Sources& sources_;
  When when_;
  const Clock& clock_;
  std::optional<PlanAgain> again_;
  Plan plan_;
  std::vector<Problem> problems_;
};

}  // namespace

const iceberg::Field* Plan::DeploymentField() const {
  auto found = std::ranges::find(output, OutputColumn::From::kDeployment, &OutputColumn::from);
  return found == output.end() ? nullptr : &found->field;
}

std::expected<Plan, std::vector<Problem>> MakePlan(const Work& work, const Sources& sources, const When& when,
                                                   const Clock& clock, std::optional<PlanAgain> again) {
  return Planner(work, sources, when, clock, std::move(again)).Make();
}

Error ToError(const std::vector<Problem>& problems) {
  Error error{problems.empty() ? ErrorKind::kInternal : problems.front().kind, ""};
  for (const auto& problem : problems) error.message += (error.message.empty() ? "" : "; ") + problem.message;
  return error;
}

}  // namespace slipway::scoring
