#include "model/exported/exported_model.h"

#include <arrow/type.h>

#include "base/arrow.h"
#include "base/file.h"
#include "base/format.h"
#include "base/ids.h"
#include "model/exported/exported_file.h"
#include "model/forest/forest_model.h"
#include "model/lightgbm/lightgbm_model.h"
#include "model/linear/linear_model.h"
#include "model/preprocessing/fold.h"
#include "model/proof/prove.h"
#include "model/python/exporter.h"
#include "model/python/python_model.h"
#include "model/xgboost/xgboost_model.h"

namespace slipway::model {
namespace {

struct Exported {
  std::filesystem::path file;
  std::unique_ptr<Worker> worker;  ///< which made it; null: the file was there
};

/// The exported file of the model with this digest; made where it is missing.
Result<Exported> Export(const MlModel& mlmodel, const PythonEngine& python, const std::string& digest) {
  Exported exported{std::filesystem::path(python.cache) / (digest + "-" + ExporterVersion() + ".arrow"), nullptr};
  if (std::filesystem::exists(exported.file)) return exported;
  TRY(CreateFolders(python.cache));
  auto part = std::filesystem::path(python.cache) / (digest + "-" + NewUuid());
  ASSIGN(exported.worker, Worker::Run(python, mlmodel, Exporter(), part));
  std::error_code code;
  std::filesystem::rename(part, exported.file, code);
  if (code) return Fail(ErrorKind::kIo, "rename {}: {}", part.string(), code.message());
  return exported;
}

/// The columns of the rows, and what a pipeline says of them.
Result<Inputs> InputsOf(const MlModel& mlmodel, const ExportedFile& file) {
  auto count = file.inputs.empty() ? size_t{file.ensemble.features} : file.inputs.size();
  std::vector<std::string> names;
  for (size_t f = 0; f < count; ++f) names.push_back(fmt::format("f{}", f));
  ASSIGN(auto specs, InputsFor(mlmodel, names));
  Inputs inputs(std::move(specs));
  for (size_t f = 0; f < file.inputs.size(); ++f) {
    const auto& [categories, refuses_missing, refuses_unknown, refuses_infinity] = file.inputs[f];
    inputs.accepts[f] = {!refuses_missing, !refuses_unknown};
    if (refuses_infinity) inputs.accepts[f].OnlyFinite();
    if (!categories) continue;
    auto& codes = inputs.codes[f].emplace();
    for (const auto& category : *categories) {
      if (!codes.Add(category, static_cast<double>(codes.size())))
        return Fail(ErrorKind::kCorrupt, "the category '{}' is listed twice", category);
    }
    codes.other = static_cast<double>(codes.size());
    codes.infinities_stay = refuses_infinity;
  }
  return inputs;
}

/// Trees over a pipeline's columns become trees over its inputs.
Result<> FoldInto(Ensemble& ensemble, const ExportedFile& file, Inputs& inputs) {
  TRY(Check(file.columns, inputs));
  ASSIGN(ensemble, Fold(std::move(ensemble), file.columns, file.refuses_nan, file.refuses_infinity, inputs));
  return {};
}

Result<std::unique_ptr<Model>> ModelOf(const std::filesystem::path& path, const MlModel& mlmodel) {
  ASSIGN(auto file, ReadExportedFile(path));
  BeforeTrees before;
  if (!file.columns.empty() && !file.linear)
    before = [&](Ensemble& ensemble, Inputs& inputs) -> Result<> {
      ASSIGN(inputs, InputsOf(mlmodel, file));
      return FoldInto(ensemble, file, inputs);
    };
  if (!file.lightgbm.empty()) return MakeLightGbm(mlmodel, file.lightgbm, file.answer.labels, before, path.string());
  if (!file.xgboost.empty()) return MakeXgboost(mlmodel, file.xgboost, file.model_class, before, path.string());
  ASSIGN(auto inputs, InputsOf(mlmodel, file));
  size_t outputs = file.ensemble.outputs;
  ASSIGN(auto answers, Answers::Of(file.answer, outputs, file.linear && file.linear->single,
                                   mlmodel.extras.probabilities, mlmodel.folder.string()));
  if (file.linear) {
    if (mlmodel.extras.contributions)
      return Fail(ErrorKind::kUnsupported, "contributions are of trees, and this model is linear");
    return MakeLinearModel(std::move(*file.linear), std::move(file.columns), std::move(inputs), std::move(answers));
  }
  ForestModelParts parts;
  if (before) {
    TRY(before(file.ensemble, inputs));
  } else {
    for (auto& accepts : inputs.accepts) {
      accepts.missing = !file.refuses_nan;
      if (file.refuses_infinity) accepts.OnlyFinite();
    }
  }
  parts.inputs = std::move(inputs);
  parts.contributions = mlmodel.extras.contributions;
  parts.contribution_scale = file.answer.divide ? 1 / *file.answer.divide : file.answer.scale.value_or(1);
  parts.contribution_add = file.answer.bias;
  parts.probabilities = answers.has_extras();
  parts.outputs = answers.schema();
  parts.convert = [answers](const auto& sums, int64_t rows) { return answers.Convert(sums, rows); };
  if (!answers.exact())
    parts.spread = [answers](const double* sums, size_t rows) { return answers.SpreadOf(sums, nullptr, rows); };
  return MakeForestModel(std::move(file.ensemble), std::move(parts));
}

}  // namespace

Result<std::unique_ptr<Model>> LoadExported(const MlModel& mlmodel, const PythonEngine& python) {
  if (python.interpreter.empty() || python.cache.empty())
    return Fail(ErrorKind::kUnsupported, "it can only be read through Python, where it is scored");
  ASSIGN(auto digest, HashFolder(mlmodel.folder));
  auto known = FindRecord(python, digest);
  // What Python refuses, it refuses again: such a model is not exported anew for each run.
  auto refuse = [&](const std::string& why) -> Result<std::unique_ptr<Model>> {
    TRY(KeepRecord(python, digest, {Engine::kPython, Evidence::kNotCompared, why}));
    return Fail(ErrorKind::kUnsupported, why);
  };
  auto exported = Export(mlmodel, python, digest);
  if (!exported && exported.error().kind == ErrorKind::kInvalid) return refuse(exported.error().message);
  if (!exported) return Failure(exported.error());
  ASSIGN(auto model, ModelOf(exported->file, mlmodel));
  if (known && known->is_lasting()) return model;
  ASSIGN(auto reference, LoadReference(*model, mlmodel, python, std::move(exported->worker)));
  auto record = Prove(*model, *reference);
  if (!record)
    return Fail(ErrorKind::kUnsupported, "it could not be compared with mlflow.pyfunc: {}", record.error().message);
  TRY(KeepRecord(python, digest, *record));
  TRY(CheckProof(*record));
  if (record->engine == Engine::kPython) return Fail(ErrorKind::kUnsupported, record->why);
  return model;
}

}  // namespace slipway::model
