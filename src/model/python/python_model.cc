#include "model/python/python_model.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/arrow.h"
#include "base/format.h"
#include "model/mlflow/column_type.h"
#include "model/python/worker.h"

namespace slipway::model {
namespace {

constexpr int64_t kBytesOfCall = int64_t{64} << 20;

/// The idle workers of a model; a caller has one to itself.
class Workers {
 public:
  /// `started`: one that has no model loaded yet, or null.
  Workers(const PythonEngine& engine, const MlModel& model, std::shared_ptr<arrow::Schema> outputs,
          std::unique_ptr<Worker> started)
      : engine_(engine), model_(model), outputs_(std::move(outputs)), started_(std::move(started)) {
    auto cores = std::max<int64_t>(1, std::thread::hardware_concurrency());
    most_ = engine.processes > 0 ? engine.processes : cores;
  }

  Result<std::unique_ptr<Worker>> Take() {
    std::unique_ptr<Worker> unloaded;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return !idle_.empty() || taken_ < most_; });
      ++taken_;
      if (!idle_.empty()) {
        auto worker = std::move(idle_.back());
        idle_.pop_back();
        return worker;
      }
      unloaded = std::move(started_);
    }
    auto loaded = Load(std::move(unloaded));
    if (!loaded) GiveBack(nullptr);
    return loaded;
  }

  void GiveBack(std::unique_ptr<Worker> worker) {
    std::lock_guard lock(mutex_);
    --taken_;
    if (worker != nullptr && worker->alive()) idle_.push_back(std::move(worker));
    changed_.notify_one();
  }

 private:
  Result<std::unique_ptr<Worker>> Load(std::unique_ptr<Worker> worker) {
    if (worker == nullptr) return Worker::Start(engine_, model_, outputs_);
    TRY(worker->Load(model_.folder, outputs_));
    return worker;
  }

  PythonEngine engine_;
  MlModel model_;
  std::shared_ptr<arrow::Schema> outputs_;
  int64_t most_ = 1, taken_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<Worker> started_;
  std::vector<std::unique_ptr<Worker>> idle_;
};

class PythonModel final : public Model {
 public:
  PythonModel(const PythonEngine& engine, const MlModel& mlmodel, std::shared_ptr<arrow::Schema> outputs,
              std::string why, std::unique_ptr<Worker> started)
      : inputs_(mlmodel.signature->inputs),
        outputs_(std::move(outputs)),
        why_(std::move(why)),
        interpreter_(engine.interpreter),
        workers_(engine, mlmodel, outputs_, std::move(started)) {}

  const std::vector<ColumnSpec>& inputs() const override { return inputs_; }
  const std::shared_ptr<arrow::Schema>& outputs() const override { return outputs_; }
  Result<std::shared_ptr<arrow::RecordBatch>> EdgeRows(int64_t) const override {
    return Fail(ErrorKind::kUnsupported, "what a Python model decides by is not known");
  }
  Result<std::shared_ptr<arrow::RecordBatch>> ExampleRows() const override {
    arrow::FieldVector fields;
    for (const auto& input : inputs_) {
      ASSIGN(auto type, ArrowTypeOf(input.type));
      fields.push_back(arrow::field(input.name, std::move(type)));
    }
    ASSIGN(auto worker, workers_.Take());
    auto rows = worker->Example(arrow::schema(std::move(fields)));
    workers_.GiveBack(std::move(worker));
    if (!rows) return rows;
    return InputsOf(**rows);
  }
  Result<> Try() const override {
    ASSIGN(auto worker, workers_.Take());
    workers_.GiveBack(std::move(worker));
    auto example = ExampleRows();
    if (!example) return {};  // it has none, or one that is not of its inputs
    TRY(Wrap(Score(**example), "its input example cannot be scored"));
    return {};
  }
  EngineChoice engine() const override { return {Engine::kPython, why_}; }
  std::vector<Fact> facts() const override {
    return {{"engine", std::string(ToString(Engine::kPython))}, {"why", why_}, {"interpreter", interpreter_}};
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Score(const arrow::RecordBatch& batch) const override {
    ASSIGN(auto rows, InputsOf(batch));
    if (rows->num_rows() == 0) {
      ARROW_ASSIGN(auto none, arrow::RecordBatch::MakeEmpty(outputs_));
      return none;
    }
    auto bytes = std::max<int64_t>(1, arrow::util::TotalBufferSize(*rows));
    auto calls = (bytes + kBytesOfCall - 1) / kBytesOfCall, step = (rows->num_rows() + calls - 1) / calls;
    if (calls == 1) return ScoreCall(*rows);
    arrow::RecordBatchVector parts;
    for (int64_t first = 0; first < rows->num_rows(); first += step) {
      ASSIGN(auto part, ScoreCall(*rows->Slice(first, step)));
      parts.push_back(std::move(part));
    }
    ARROW_ASSIGN(auto table, arrow::Table::FromRecordBatches(outputs_, parts));
    ARROW_ASSIGN(auto all, table->CombineChunksToBatch());
    return all;
  }

 private:
  /// The signature's columns, in its order: those that the model may do without are left out where the rows lack them.
  Result<std::shared_ptr<arrow::RecordBatch>> InputsOf(const arrow::RecordBatch& batch) const {
    arrow::FieldVector fields;
    arrow::ArrayVector columns;
    for (const auto& input : inputs_) {
      auto column = batch.GetColumnByName(input.name);
      if (column == nullptr && !input.required) continue;
      if (column == nullptr) return Fail(ErrorKind::kInvalid, "the rows lack the column '{}'", input.name);
      fields.push_back(arrow::field(input.name, column->type()));
      columns.push_back(std::move(column));
    }
    return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), batch.num_rows(), std::move(columns));
  }

  Result<std::shared_ptr<arrow::RecordBatch>> ScoreCall(const arrow::RecordBatch& rows) const {
    std::string first_failure;
    while (true) {
      ASSIGN(auto worker, workers_.Take());
      auto predictions = worker->Score(rows);
      workers_.GiveBack(std::move(worker));
      if (predictions || predictions.error().kind != ErrorKind::kUnavailable) return predictions;
      if (!first_failure.empty())
        return Fail(ErrorKind::kInvalid, "{}; before that, {}", predictions.error().message, first_failure);
      first_failure = predictions.error().message;
    }
  }

  std::vector<ColumnSpec> inputs_;
  std::shared_ptr<arrow::Schema> outputs_;
  std::string why_, interpreter_;
  mutable Workers workers_;
};

}  // namespace

Result<std::unique_ptr<Model>> LoadPython(const MlModel& mlmodel, const PythonEngine& engine, const std::string& why) {
  return LoadPython(mlmodel, engine, why, nullptr);
}

Result<std::unique_ptr<Model>> LoadPython(const MlModel& mlmodel, const PythonEngine& engine, const std::string& why,
                                          std::unique_ptr<Worker> started) {
  if (!mlmodel.flavors.contains("python_function"))
    return Fail(ErrorKind::kUnsupported, "{}, and it has no python_function flavor", why);
  if (!mlmodel.signature || mlmodel.signature->inputs.empty() || mlmodel.signature->outputs.empty())
    return Fail(ErrorKind::kInvalid,
                "a model that Python scores needs a signature with named inputs and with outputs: save it with "
                "signature=infer_signature(rows, predictions) ({})",
                why);
  arrow::FieldVector fields;
  for (const auto& output : mlmodel.signature->outputs) {
    ASSIGN(auto type, ArrowTypeOf(output.type));
    fields.push_back(arrow::field(output.name, std::move(type)));
  }
  return std::make_unique<PythonModel>(engine, mlmodel, arrow::schema(std::move(fields)), why, std::move(started));
}

}  // namespace slipway::model
