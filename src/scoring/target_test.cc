#include "scoring/target.h"

#include <arrow/type.h>
#include <gtest/gtest.h>

namespace slipway::scoring {
namespace {

using iceberg::Field;
using iceberg::TypeId;

/// A catalog with one table, or none, or an error.
class OneTable final : public iceberg::Catalog {
 public:
  explicit OneTable(Result<iceberg::Table> table) : table_(std::move(table)) {}
  Result<iceberg::Table> Load(const iceberg::TableIdentifier&) override { return table_; }
  Result<std::vector<iceberg::TableIdentifier>> List() override { return std::vector<iceberg::TableIdentifier>(); }
  Result<iceberg::Table> Stage(const iceberg::TableIdentifier&, const iceberg::TableMetadata&) override {
    return Fail(ErrorKind::kInternal, "not asked");
  }
  Result<NewPlace> NewTablePlace(const iceberg::TableIdentifier&) override {
    return Fail(ErrorKind::kInternal, "not asked");
  }
  Result<> Publish(const iceberg::TableUpdate&) override { return Fail(ErrorKind::kInternal, "not asked"); }

 private:
  Result<iceberg::Table> table_;
};

class Predicts final : public model::Model {
 public:
  explicit Predicts(arrow::FieldVector outputs) : outputs_(arrow::schema(std::move(outputs))) {}
  const std::vector<model::ColumnSpec>& inputs() const override { return inputs_; }
  const std::shared_ptr<arrow::Schema>& outputs() const override { return outputs_; }
  Result<std::shared_ptr<arrow::RecordBatch>> EdgeRows(int64_t) const override {
    return Fail(ErrorKind::kUnsupported, "none");
  }
  model::EngineChoice engine() const override { return {}; }
  std::vector<model::Fact> facts() const override { return {}; }
  Result<std::shared_ptr<arrow::RecordBatch>> Score(const arrow::RecordBatch&) const override {
    return Fail(ErrorKind::kUnsupported, "none");
  }

 private:
  std::vector<model::ColumnSpec> inputs_;
  std::shared_ptr<arrow::Schema> outputs_;
};

class Target : public ::testing::Test {
 protected:
  Result<TargetPlan> Plan(Result<iceberg::Table> table) {
    OneTable catalog(std::move(table));
    return PlanTargetTable(work_, source_, Predicts(outputs_), catalog, by_, clock_);
  }
  Result<TargetPlan> PlanNew() { return Plan(Fail(ErrorKind::kNotFound, "no table ml.scores")); }
  Result<TargetPlan> PlanInto(std::vector<Field> fields) {
    int id = 100;
    for (auto& field : fields) field.id = ++id;
    ASSIGN(auto metadata, iceberg::NewMetadata("/t", {0, fields}, {}, 5));
    return Plan(iceberg::Table{{"ml", "scores"}, "/t/1.json", metadata, nullptr});
  }
  static std::vector<Field> Fitting() {
    return {{0, "run_id", false, {TypeId::kString}},     {0, "model_version", false, {TypeId::kString}},
            {0, "model_name", false, {TypeId::kString}}, {0, "scored_at", false, {TypeId::kTimestamptz}},
            {0, "prediction", false, {TypeId::kDouble}}, {0, "id", false, {TypeId::kLong}}};
  }
  static std::string Shown(const TargetPlan& plan) {
    std::string text;
    for (const auto& column : plan.output)
      text += column.field.name + " " + ToString(column.field.type) + (column.field.required ? " required" : "") + "; ";
    return text;
  }
  void ExpectMisfit(std::vector<Field> fields, std::string_view words) {
    auto plan = PlanInto(std::move(fields));
    ASSERT_FALSE(plan) << words;
    EXPECT_EQ(plan.error().kind, ErrorKind::kInvalid);
    EXPECT_NE(plan.error().message.find(words), std::string::npos) << plan.error().message;
    EXPECT_NE(plan.error().message.find("ml.scores"), std::string::npos) << plan.error().message;
  }

  Work work_{.target = {"ml", "scores"}, .entity_columns = {"id"}};
  iceberg::Schema source_{0,
                          {{7, "id", true, {TypeId::kInt}},
                           {8, "region", false, {TypeId::kString}},
                           {9, "prediction", false, {TypeId::kString}},
                           {10, "amount", false, {TypeId::kDecimal, 9, 2}}}};
  Partition by_ = Partition::kDay;
  arrow::FieldVector outputs_{arrow::field("prediction", arrow::float64())};
  ManualClock clock_{Timestamp{}};
};

TEST_F(Target, ANewTableHasEntitiesPredictionsAndWhereTheyComeFrom) {
  auto plan = PlanNew();
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(Shown(*plan),
            "id int required; prediction double; scored_at timestamptz; model_name string; model_version string; "
            "run_id string; deployment string; ");
  EXPECT_TRUE(plan->table.metadata_location.empty());
  const auto& spec = plan->table.metadata.DefaultSpec();
  ASSERT_EQ(spec.fields.size(), 1);
  EXPECT_EQ(spec.fields[0].name, "scored_at_day");
  EXPECT_EQ(ToString(spec.fields[0].transform), "day");
  EXPECT_EQ(spec.fields[0].source_id, plan->partition_field_id);
  EXPECT_EQ(plan->table.metadata.schema.Find(plan->partition_field_id)->name, "scored_at");
}

TEST_F(Target, OfAScheduleFinerThanADayANewTableIsPartitionedByHour) {
  by_ = Partition::kHour;
  auto plan = PlanNew();
  ASSERT_TRUE(plan) << plan.error().message;
  const auto& field = plan->table.metadata.DefaultSpec().fields.at(0);
  EXPECT_EQ(field.name, "scored_at_hour");
  EXPECT_EQ(ToString(field.transform), "hour");
  EXPECT_EQ(field.source_id, plan->partition_field_id);
}

TEST_F(Target, AColumnDeploymentOfAnExistingTableTellsWhoseARowIs) {
  auto from = [&](Field field) {
    auto fields = Fitting();
    fields.push_back(field);
    auto plan = PlanInto(fields);
    EXPECT_TRUE(plan) << plan.error().message;
    return plan->output.back().from;
  };
  EXPECT_EQ(from({0, "deployment", false, {TypeId::kString}}), OutputColumn::From::kDeployment);
  EXPECT_EQ(from({0, "deployment", true, {TypeId::kString}}), OutputColumn::From::kDeployment);
  EXPECT_EQ(from({0, "deployment", false, {TypeId::kLong}}), OutputColumn::From::kNull) << "it is somebody else's";
}

/// Else a source would say whose rows they are, and a run would replace those of all.
TEST_F(Target, TheDeploymentsNameComesFromNoSource) {
  source_.fields.push_back({11, "deployment", false, {TypeId::kString}});
  work_.entity_columns = {"id", "deployment"};
  auto fields = Fitting();
  fields.push_back({0, "deployment", false, {TypeId::kString}});
  for (const auto& plan : {PlanInto(fields), PlanNew()}) {
    ASSERT_FALSE(plan);
    EXPECT_NE(plan.error().message.find("'deployment' says whose rows they are"), std::string::npos)
        << plan.error().message;
  }
}

TEST_F(Target, AnotherPartitionColumnIsCarriedAlong) {
  work_.partition_column = "region";
  auto plan = PlanNew();
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_TRUE(Shown(*plan).starts_with("id int required; region string; prediction double; ")) << Shown(*plan);
  EXPECT_EQ(plan->table.metadata.DefaultSpec().fields[0].name, "region");
  EXPECT_EQ(ToString(plan->table.metadata.DefaultSpec().fields[0].transform), "identity");
}

TEST_F(Target, DecimalsAndListsKeepTheirTypes) {
  work_.entity_columns = {"amount"};
  outputs_ = {arrow::field("prediction", arrow::list(arrow::float32()))};
  auto plan = PlanNew();
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_TRUE(Shown(*plan).starts_with("amount decimal(9, 2); prediction list<float>; ")) << Shown(*plan);
}

TEST_F(Target, TwoColumnsOfOneNameAreRefused) {
  work_.entity_columns = {"id", "prediction"};
  auto plan = PlanNew();
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(plan.error().message.find("'prediction'"), std::string::npos) << plan.error().message;
}

TEST_F(Target, AnExistingTableKeepsItsOrderAndItsWiderTypes) {
  auto plan = PlanInto(Fitting());
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(
      Shown(*plan),
      "run_id string; model_version string; model_name string; scored_at timestamptz; prediction double; id long; ");
  using From = OutputColumn::From;
  std::vector<From> from;
  for (const auto& column : plan->output) from.push_back(column.from);
  EXPECT_EQ(from, (std::vector<From>{From::kRunId, From::kModelVersion, From::kModelName, From::kScoredAt,
                                     From::kPrediction, From::kSource}));
  EXPECT_EQ(plan->partition_field_id, 104);
}

TEST_F(Target, AnOptionalColumnOfItsOwnIsNull) {
  auto fields = Fitting();
  fields.push_back({0, "comment", false, {TypeId::kString}});
  auto plan = PlanInto(fields);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->output.back().from, OutputColumn::From::kNull);
}

TEST_F(Target, WhatDoesNotFitIsNamedColumnByColumn) {
  auto fields = Fitting();
  fields[4].type = {TypeId::kFloat};
  ExpectMisfit(fields, "its column 'prediction' is float, but the predictions have double");
  fields = Fitting();
  fields[5].type = {TypeId::kString};
  ExpectMisfit(fields, "its column 'id' is string, but the predictions have int");
  fields = Fitting();
  fields.push_back({0, "batch", true, {TypeId::kLong}});
  ExpectMisfit(fields, "'batch' is required");
  fields = Fitting();
  fields.erase(fields.begin());
  ExpectMisfit(fields, "it has no column 'run_id'");
  fields = Fitting();
  fields[3].type = {TypeId::kTimestamp};
  fields[4].type = {TypeId::kBoolean};
  ExpectMisfit(fields, "'scored_at'");
  ExpectMisfit(fields, "'prediction'");
}

/// Such a table is read; a run could not tell the partitions of its rows, and create says so before any run does.
TEST_F(Target, AnUnknownTransformCannotBeWrittenBy) {
  auto fields = Fitting();
  for (int id = 0; auto& field : fields) field.id = ++id;
  iceberg::PartitionSpec spec{0, {{6, 1000, "id_z", {iceberg::TransformKind::kUnknown, 0, "zorder[3]"}}}};
  auto metadata = iceberg::NewMetadata("/t", {0, fields}, spec, 5);
  ASSERT_TRUE(metadata) << metadata.error().message;
  auto plan = Plan(iceberg::Table{{"ml", "scores"}, "/t/1.json", *metadata, nullptr});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().message,
            "the target ml.scores cannot take the predictions: it is partitioned by zorder[3] of 'id_z', which Slipway "
            "cannot compute");
}

TEST_F(Target, ACatalogThatDoesNotAnswerIsNotANewTable) {
  auto plan = Plan(Fail(ErrorKind::kUnavailable, "no answer"));
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().kind, ErrorKind::kUnavailable);
}

}  // namespace
}  // namespace slipway::scoring
