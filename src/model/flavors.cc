#include "base/file.h"
#include "base/format.h"
#include "model/exported/exported_model.h"
#include "model/lightgbm/lightgbm_model.h"
#include "model/mlflow/mlmodel.h"
#include "model/model.h"
#include "model/proof/prove.h"
#include "model/python/python_model.h"
#include "model/python/worker.h"
#include "model/xgboost/xgboost_model.h"

namespace slipway::model {
namespace {

Result<std::unique_ptr<Model>> LightGbm(const MlModel& mlmodel, const PythonEngine& python) {
  return IsPickledLightGbm(mlmodel) ? LoadExported(mlmodel, python) : LoadLightGbm(mlmodel);
}

Result<std::unique_ptr<Model>> Xgboost(const MlModel& mlmodel, const PythonEngine&) { return LoadXgboost(mlmodel); }

/// One line for each flavor that has a native engine; the first that a model names is taken.
struct Flavor {
  std::string_view name;
  Result<std::unique_ptr<Model>> (*load)(const MlModel&, const PythonEngine&);
};
constexpr Flavor kFlavors[] = {
    {"lightgbm", LightGbm},
    {"xgboost", Xgboost},
    {"sklearn", LoadExported},
    {"catboost", LoadExported},
};

/// Without an interpreter a model is planned only: then it is not known yet whether Python has to score it.
Result<std::unique_ptr<Model>> ByPython(const MlModel& mlmodel, const PythonEngine& python, const std::string& why) {
  if (mlmodel.extras && !python.interpreter.empty())
    return Fail(
        ErrorKind::kUnsupported,
        "contributions and probabilities are of trees that are scored natively, but this model goes to Python: {}",
        why);
  return LoadPython(mlmodel, python, why);
}

}  // namespace

Result<std::unique_ptr<Model>> LoadModel(const std::filesystem::path& folder, const PythonEngine& python) {
  return LoadModel(folder, python, Extras());
}

Result<std::unique_ptr<Model>> LoadModel(const std::filesystem::path& folder, const PythonEngine& python,
                                         const Extras& extras) {
  ASSIGN(auto mlmodel, ReadMlModel(folder));
  mlmodel.extras.contributions |= extras.contributions;
  mlmodel.extras.probabilities |= extras.probabilities;
  std::string why, names, digest;
  if (!python.cache.empty()) {
    ASSIGN(digest, HashFolder(folder));
    if (auto record = FindRecord(python, digest)) {
      TRY(CheckProof(*record));
      if (record->engine == Engine::kPython) return ByPython(mlmodel, python, record->why);
    }
  }
  for (const auto& flavor : kFlavors) {
    if (!mlmodel.flavors.contains(std::string(flavor.name))) continue;
    auto model = flavor.load(mlmodel, python);
    if (!model && model.error().kind != ErrorKind::kUnsupported) return model;
    why = model ? "" : model.error().message;
    if (model && python.check_first && !digest.empty() && !python.interpreter.empty()) {
      ASSIGN(auto record, ProveOnce(**model, mlmodel, python, digest, nullptr));
      TRY(CheckProof(record));
      if (record.engine == Engine::kPython) why = record.why;
    }
    if (why.empty()) return model;
    break;
  }
  for (const auto& [name, settings] : mlmodel.flavors) names += (names.empty() ? "" : ", ") + name;
  if (why.empty()) why = fmt::format("no native engine for the flavors {}", names);
  return ByPython(mlmodel, python, why);
}

}  // namespace slipway::model
