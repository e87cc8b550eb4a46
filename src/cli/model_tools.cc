#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <atomic>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <iostream>
#include <thread>

#include "base/json.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/environment.h"
#include "cli/model_files.h"
#include "cli/model_inspect.h"
#include "cli/terminal.h"
#include "model/forest/vectors.h"
#include "model/mlflow/mlmodel.h"
#include "model/model.h"
#include "model/proof.h"

namespace slipway::cli {
namespace {

struct Arguments {
  std::string model, input, output, vectors;
  int64_t batch = 32768;
  double seconds = 2;
  model::Extras extras;
};

Result<std::unique_ptr<model::Model>> Load(const Context& context, const Arguments& args) {
  ASSIGN(auto version, FindModel(context, args.model));
  return model::LoadModel(version.folder, EngineOf(context), args.extras);
}

Result<> CheckEngine(const Context& context, const Arguments& args) {
  ASSIGN(auto folder, FindModel(context, args.model));
  ASSIGN(auto engine, model::ProveModel(folder.folder, EngineOf(context)));
  if (context.json)
    std::cout << json::serialize(json::object{
                     {"engine", ToString(engine.engine)}, {"proof", ToString(engine.evidence)}, {"why", engine.why}})
              << "\n";
  else
    fmt::print("scored by the {} engine: {}\n", ToString(engine.engine), engine.why);
  return {};
}

Result<> ChooseVectors(const Arguments& args) {
  if (args.vectors.empty() || model::LimitVectors(args.vectors)) return {};
  return Fail(ErrorKind::kInvalid, "this machine's processor does not have the vectors " + args.vectors);
}

Result<> Predict(const Context& context, const Arguments& args) {
  TRY(ChooseVectors(args));
  ASSIGN(auto model, Load(context, args));
  ASSIGN(auto rows, ReadRowsFor(*model, args.input));
  ASSIGN(auto predictions, model->Score(*rows));
  TRY(WriteRows(predictions, args.output));
  fmt::print(stderr, "{} predictions in {}\n", predictions->num_rows(), args.output);
  return {};
}

/// Calls of `rows` rows each from `threads` threads until the time is over; seconds for one call.
Result<double> TimeCalls(const model::Model& model, const arrow::RecordBatch& all, int64_t rows, int threads,
                         double seconds) {
  rows = std::min(rows, all.num_rows());
  std::atomic<int64_t> calls = 0;
  std::atomic<bool> failed = false;
  double started = MonotonicSeconds();
  auto work = [&] {
    for (int64_t first = 0; !failed && MonotonicSeconds() - started < seconds; first += rows) {
      if (first + rows > all.num_rows()) first = 0;
      if (!model.Score(*all.Slice(first, rows))) failed = true;
      ++calls;
    }
  };
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < threads; ++i) workers.emplace_back(work);
  }
  double took = MonotonicSeconds() - started;
  if (failed) TRY(model.Score(*all.Slice(0, rows)));
  return took / static_cast<double>(calls.load());
}

Result<> Bench(const Context& context, const Arguments& args) {
  TRY(ChooseVectors(args));
  ASSIGN(auto model, Load(context, args));
  ASSIGN(auto rows, args.input.empty() ? RowsMadeFor(*model, args.batch) : ReadRowsFor(*model, args.input));
  if (rows->num_rows() == 0) return Fail(ErrorKind::kInvalid, "the input has no rows to score");
  TRY(model->Score(*rows->Slice(0, std::min(args.batch, rows->num_rows()))));  // warm
  json::array all;
  std::vector<std::vector<std::string>> table;
  auto measure = [&](int64_t count, int threads) -> Result<> {
    ASSIGN(double seconds, TimeCalls(*model, *rows, count, threads, args.seconds));
    auto size = std::min(count, rows->num_rows());
    double rate = static_cast<double>(size) / seconds;
    all.push_back(json::object{{"rows", size},
                               {"threads", threads},
                               {"rows_per_second", rate},
                               {"microseconds_per_call", seconds * threads * 1e6}});
    table.push_back({fmt::to_string(size), fmt::to_string(threads), fmt::format("{:.0f}", rate),
                     fmt::format("{:.1f}", seconds * threads * 1e6)});
    return {};
  };
  for (int64_t count : {int64_t{1}, int64_t{10}, int64_t{100}}) TRY(measure(count, 1));
  TRY(measure(args.batch, 1));
  if (int cores = static_cast<int>(std::thread::hardware_concurrency()); cores > 1) TRY(measure(args.batch, cores));
  if (context.json)
    std::cout << json::serialize(all) << "\n";
  else
    PrintTable({"ROWS PER CALL", "THREADS", "ROWS/S", "US/CALL"}, table);
  return {};
}

}  // namespace

void AddModelTools(Command& models, Context& context) {
  auto args = std::make_shared<Arguments>();
  auto add = [&](const char* name, const char* text, Result<> (*run)(const Context&, const Arguments&)) {
    auto* command = models.add_subcommand(name, text);
    command->add_option("model", args->model, "name, name/version, name@alias, or the folder of an MLflow model")
        .required();
    command->callback(
        [&context, args, run] { context.chosen = [&context, args, run] { return run(context, *args); }; });
    return command;
  };
  add("inspect", "a model's flavor, size and signature, and which engine scores it, and why",
      [](const Context& context, const Arguments& args) { return InspectModel(context, args.model); })
      ->footer("Example:\n  slipway models inspect churn@champion");
  add("check", "compare the native engine with mlflow.pyfunc, and remember which of them is to score", CheckEngine)
      ->footer("Example:\n  slipway models check churn/3");
  auto* predict = add("predict", "score the rows of a Parquet file, without a deployment", Predict);
  predict->add_option("-i,--input", args->input, "a Parquet file with the model's columns").required();
  predict->add_option("-o,--output", args->output, "the Parquet file to write").required();
  predict->footer("Example:\n  slipway models predict churn/3 -i rows.parquet -o predictions.parquet");
  auto* bench = add("bench", "how fast a model scores, in memory", Bench);
  bench->add_option("-i,--input", args->input,
                    "a Parquet file with the model's columns (default: rows around all that the model decides by, or "
                    "its input example)");
  bench->add_option("--batch", args->batch, "how many rows a large call has").positive();
  for (auto* command : {predict, bench}) {
    command->add_flag("--contributions", args->extras.contributions,
                      "SHAP values too: what each feature contributes to the raw score");
    command->add_flag("--probabilities", args->extras.probabilities,
                      "each label's probability too, of a classifier that predicts labels");
    command->add_option(
        "--vectors", args->vectors,
        "use only AVX3_DL (AVX-512 of Ice Lake and Zen 4 on), AVX3 (AVX-512), AVX2, SSE4, SSSE3 or SCALAR");
  }
  bench->add_option("--seconds", args->seconds, "time for each measurement").positive();
  bench->footer("Example:\n  slipway models bench churn@champion");
}

}  // namespace slipway::cli
