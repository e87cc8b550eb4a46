#include "scoring/predictions.h"

#include <arrow/array.h>
#include <arrow/compute/cast.h>
#include <arrow/record_batch.h>

#include "base/arrow.h"
#include "base/format.h"

namespace slipway::scoring {
namespace {

using From = OutputColumn::From;

Result<std::shared_ptr<arrow::Array>> Column(const OutputColumn& column, const Plan& plan, const Job& job,
                                             const arrow::RecordBatch& rows, const arrow::RecordBatch& scores) {
  using iceberg::Literal;
  const auto& type = column.field.type;
  switch (column.from) {
    case From::kSource: return rows.GetColumnByName(column.name);
    case From::kPrediction: return scores.GetColumnByName(column.name);
    case From::kScoredAt:
      return iceberg::Repeat(Literal(int64_t{job.logical_date.time_since_epoch().count()}), type, rows.num_rows());
    case From::kModelName: return iceberg::RepeatAsDictionary(plan.model_version.name, rows.num_rows());
    case From::kModelVersion: return iceberg::RepeatAsDictionary(plan.model_version.version, rows.num_rows());
    case From::kRunId: return iceberg::RepeatAsDictionary(job.run_id, rows.num_rows());
    case From::kDeployment: return iceberg::RepeatAsDictionary(job.deployment, rows.num_rows());
    case From::kNull: return iceberg::Repeat(Literal{}, type, rows.num_rows());
  }
  return Fail(ErrorKind::kInternal, "a column without values");
}

}  // namespace

Result<std::shared_ptr<arrow::RecordBatch>> MakePredictions(const Plan& plan, const Job& job,
                                                            const std::shared_ptr<arrow::RecordBatch>& batch,
                                                            StageCounts& counts) {
  double started = ThreadCpuSeconds();
  counts.read += batch->num_rows();
  auto rows = batch;
  if (plan.filter) {
    ASSIGN(rows, plan.filter->Apply(batch));
  }
  double filtered = ThreadCpuSeconds();
  counts.filter_seconds += filtered - started;
  ASSIGN(auto fed, model::DecimalsAsDoubles(rows, plan.model->inputs()));
  ASSIGN(auto scores, plan.model->Score(*fed));
  counts.score_seconds += ThreadCpuSeconds() - filtered;
  counts.scored += rows->num_rows();
  arrow::ArrayVector columns;
  arrow::FieldVector fields;
  for (const auto& column : plan.output) {
    ASSIGN(auto array, Column(column, plan, job, *rows, *scores));
    ASSIGN(auto type, iceberg::ToArrow(column.field.type));
    if (!array->type()->Equals(*type) && array->type_id() != arrow::Type::DICTIONARY) {
      ARROW_ASSIGN(array, arrow::compute::Cast(*array, type));
    }
    fields.push_back(arrow::field(column.field.name, array->type()));
    columns.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), rows->num_rows(), std::move(columns));
}

}  // namespace slipway::scoring
