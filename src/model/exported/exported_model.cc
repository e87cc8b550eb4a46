#include "model/exported/exported_model.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/type.h>

#include <algorithm>
#include <iterator>

#include "base/arrow.h"
#include "base/file.h"
#include "base/format.h"
#include "base/ids.h"
#include "model/exported/exported_file.h"
#include "model/forest/forest_model.h"
#include "model/forest/labels.h"
#include "model/lightgbm/lightgbm_model.h"
#include "model/proof.h"
#include "model/python/python_model.h"
#include "model/python/worker.h"

extern const char slipway_python_export[], slipway_python_export_end[];

namespace slipway::model {
namespace {

using Pick = ExportedFile::Pick;

/// Sums → shares or scaled sums → values, or the labels that they pick.
class Converter {
 public:
  /// `file` without its ensemble, which had `outputs`.
  Converter(ExportedFile file, size_t outputs, bool probabilities)
      : file_(std::move(file)), outputs_(outputs), probabilities_(probabilities) {}

  Result<std::shared_ptr<arrow::Schema>> Schema() const {
    if (file_.labels == nullptr) return PredictionSchema(outputs_, arrow::float64());
    auto schema = PredictionSchema(1, file_.labels->type());
    if (!probabilities_) return schema;
    return WithProbabilities(*schema, *file_.labels, arrow::float64());
  }

  Result<arrow::ArrayVector> Convert(const std::shared_ptr<arrow::Buffer>& sums, int64_t rows) const {
    auto* values = sums->mutable_data_as<double>();
    auto count = static_cast<size_t>(rows);
    for (size_t k = 0; k < outputs_; ++k) {
      for (double* value = values + k * count; value < values + (k + 1) * count; ++value) {
        if (file_.divide) *value /= *file_.divide;
        if (file_.scale) *value = *file_.scale * *value + file_.bias[k];
      }
    }
    if (file_.labels == nullptr) return DoubleColumns(sums, static_cast<int64_t>(outputs_), rows);
    if (file_.pick == Pick::kAtLeast)
      return PickLabels(*file_.labels, rows, [values, least = file_.at_least](size_t row) { return values[row] >= least ? 1 : 0; });
    ASSIGN(auto columns, PickLabels(*file_.labels, rows, FirstLargest{values, outputs_, count}));
    if (probabilities_) std::ranges::move(DoubleColumns(sums, static_cast<int64_t>(outputs_), rows), std::back_inserter(columns));
    return columns;
  }

 private:
  ExportedFile file_;
  size_t outputs_;
  bool probabilities_;
};

/// The exported file of the model with this digest; made where it is missing.
Result<std::filesystem::path> FileOf(const MlModel& mlmodel, const PythonEngine& python, const std::string& digest) {
  auto file = std::filesystem::path(python.cache) / (digest + "-" + ExporterVersion() + ".arrow");
  if (std::filesystem::exists(file)) return file;
  TRY(CreateFolders(python.cache));
  auto part = std::filesystem::path(python.cache) / (digest + "-" + NewUuid());
  TRY(Worker::Run(python, mlmodel.folder, {slipway_python_export, slipway_python_export_end}, part));
  std::error_code code;
  std::filesystem::rename(part, file, code);
  if (code) return Fail(ErrorKind::kIo, "rename {}: {}", part.string(), code.message());
  return file;
}

Result<std::unique_ptr<Model>> ModelOf(const std::filesystem::path& path, const MlModel& mlmodel) {
  ASSIGN(auto file, ReadExportedFile(path));
  if (!file.lightgbm.empty()) return MakeLightGbm(mlmodel, file.lightgbm, file.labels, path.string());
  std::vector<std::string> names;
  for (uint32_t f = 0; f < file.ensemble.features; ++f) names.push_back(fmt::format("f{}", f));
  ForestModelParts parts;
  ASSIGN(parts.inputs, InputsFor(mlmodel, names));
  parts.codes.resize(parts.inputs.size());
  parts.refuses_nan = file.refuses_nan;
  parts.refuses_infinity = file.refuses_infinity;
  parts.contributions = mlmodel.extras.contributions;
  parts.contribution_scale = file.divide ? 1 / *file.divide : file.scale.value_or(1);
  parts.contribution_add = file.bias;
  auto ensemble = std::move(file.ensemble);
  file.ensemble = {};
  parts.probabilities = mlmodel.extras.probabilities;
  if (parts.probabilities && !file.shares) return NoLabels(mlmodel.folder.string());
  Converter converter(std::move(file), ensemble.outputs, parts.probabilities);
  ASSIGN(parts.outputs, converter.Schema());
  parts.convert = [converter](const auto& sums, int64_t rows) { return converter.Convert(sums, rows); };
  return MakeForestModel(std::move(ensemble), std::move(parts));
}

}  // namespace

std::string ExporterVersion() {
  static const std::string version = Sha256({slipway_python_export, slipway_python_export_end}).substr(0, 8);
  return version;
}

Result<std::unique_ptr<Model>> LoadExported(const MlModel& mlmodel, const PythonEngine& python) {
  if (python.interpreter.empty() || python.cache.empty())
    return Fail(ErrorKind::kUnsupported, "its trees can only be read through Python, where it is scored");
  ASSIGN(auto digest, HashFolder(mlmodel.folder));
  auto known = FindRecord(python, digest);
  // What Python refuses, it refuses again: such a model is not exported anew for each run.
  auto refuse = [&](const std::string& why) -> Result<std::unique_ptr<Model>> {
    TRY(KeepRecord(python, digest, {"python", why}));
    return Fail(ErrorKind::kUnsupported, why);
  };
  auto file = FileOf(mlmodel, python, digest);
  if (!file && file.error().kind == ErrorKind::kInvalid) return refuse(file.error().message);
  if (!file) return Failure(file.error());
  ASSIGN(auto model, ModelOf(*file, mlmodel));
  if (known) return model;
  ASSIGN(auto reference, LoadPython(mlmodel, python, "to compare with"));
  auto record = Prove(*model, *reference);
  if (!record) return Fail(ErrorKind::kUnsupported, "it could not be compared with mlflow.pyfunc: {}", record.error().message);
  TRY(KeepRecord(python, digest, *record));
  if (record->engine == "python") return Fail(ErrorKind::kUnsupported, record->why);
  return model;
}

}  // namespace slipway::model
