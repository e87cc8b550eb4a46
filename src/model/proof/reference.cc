#include "model/proof/reference.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "base/arrow.h"
#include "base/format.h"
#include "model/mlflow/column_type.h"
#include "model/python/worker.h"

namespace slipway::model {
namespace {

using Batch = std::shared_ptr<arrow::RecordBatch>;

/// The columns of `rows` that `columns` names, in that order; those that the model may do without can be missing.
Result<Batch> ColumnsOf(const arrow::RecordBatch& rows, const std::vector<ColumnSpec>& columns) {
  std::vector<int> places;
  for (const auto& column : columns) {
    int at = rows.schema()->GetFieldIndex(column.name);
    if (at < 0 && column.required) return Fail(ErrorKind::kInvalid, "the rows lack the column '{}'", column.name);
    if (at >= 0) places.push_back(at);
  }
  ARROW_ASSIGN(auto selected, rows.SelectColumns(places));
  return selected;
}

class PythonReference final : public Reference {
 public:
  PythonReference(const Model& native, const MlModel& mlmodel, std::unique_ptr<Worker> worker)
      : given_(mlmodel.signature && !mlmodel.signature->inputs.empty() ? mlmodel.signature->inputs : native.inputs()),
        learned_(native.inputs()),
        categories_(native.pandas_categories()),
        worker_(std::move(worker)) {}

  Result<Batch> Answer(const arrow::RecordBatch& rows, By by) override {
    ASSIGN(auto columns, ColumnsOf(rows, by == By::kPyfunc ? given_ : learned_));
    return by == By::kPyfunc ? worker_->Score(*columns) : worker_->ScoreByLibrary(*columns, categories_);
  }

  Result<Batch> Example() override {
    arrow::FieldVector fields;
    for (const auto& column : given_) {
      ASSIGN(auto type, ArrowTypeOf(column.type));
      fields.push_back(arrow::field(column.name, std::move(type)));
    }
    ASSIGN(auto rows, worker_->Example(arrow::schema(std::move(fields))));
    return ColumnsOf(*rows, given_);
  }

 private:
  std::vector<ColumnSpec> given_, learned_;  ///< in pyfunc's order, and in the library's
  std::vector<std::string> categories_;
  std::unique_ptr<Worker> worker_;
};

bool Rounds(const arrow::DataType& signature, const arrow::DataType& native) {
  return signature.id() == arrow::Type::FLOAT && native.id() == arrow::Type::DOUBLE;
}

/// What the answers are wanted as.
Result<std::shared_ptr<arrow::Schema>> AnswersOf(const Model& native, const MlModel& mlmodel) {
  if (!mlmodel.signature || mlmodel.signature->outputs.empty()) {
    if (native.has_extras())
      return Fail(ErrorKind::kInvalid, "its signature has no outputs: which columns pyfunc gives cannot be told");
    return native.outputs();
  }
  arrow::FieldVector fields;
  for (const auto& output : mlmodel.signature->outputs) {
    ASSIGN(auto type, ArrowTypeOf(output.type));
    auto k = static_cast<int>(fields.size());
    if (k < native.outputs()->num_fields() && Rounds(*type, *native.outputs()->field(k)->type()))
      type = native.outputs()->field(k)->type();
    fields.push_back(arrow::field(output.name, std::move(type)));
  }
  return arrow::schema(std::move(fields));
}

}  // namespace

Result<std::unique_ptr<Reference>> LoadReference(const Model& native, const MlModel& mlmodel,
                                                 const PythonEngine& python, std::unique_ptr<Worker> started) {
  if (!mlmodel.flavors.contains("python_function"))
    return Fail(ErrorKind::kInvalid, "it has no python_function flavor");
  ASSIGN(auto answers, AnswersOf(native, mlmodel));
  if (started == nullptr) {
    ASSIGN(started, Worker::Start(python, mlmodel, answers));
  } else {
    TRY(started->Load(mlmodel.folder, answers));
  }
  return std::make_unique<PythonReference>(native, mlmodel, std::move(started));
}

}  // namespace slipway::model
