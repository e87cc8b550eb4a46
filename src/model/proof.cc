#include "model/proof.h"

#include "base/file.h"
#include "base/format.h"
#include "model/mlflow/mlmodel.h"
#include "model/model.h"
#include "model/proof/prove.h"
#include "model/python/worker.h"

namespace slipway::model {

Result<EngineRecord> ProveModel(const std::filesystem::path& folder, const PythonEngine& python) {
  ASSIGN(auto digest, HashFolder(folder));
  if (auto known = FindRecord(python, digest); known && !known->is_lasting()) TRY(ForgetRecord(python, digest));
  ASSIGN(auto native, LoadModel(folder, python));
  if (auto choice = native->engine(); choice.engine == Engine::kPython) {
    TRY(native->Try());
    auto known = FindRecord(python, digest);
    return EngineRecord{Engine::kPython, known ? known->evidence : Evidence::kNotCompared, choice.why};
  }
  ASSIGN(auto mlmodel, ReadMlModel(folder));
  ASSIGN(auto record, ProveOnce(*native, mlmodel, python, digest, nullptr));
  if (record.engine == Engine::kPython) {
    ASSIGN(auto model, LoadModel(folder, python));
    TRY(model->Try());
  }
  TRY(CheckProof(record));
  return record;
}

Result<EngineRecord> TakeUnproven(const std::filesystem::path& folder, const PythonEngine& python) {
  ASSIGN(auto digest, HashFolder(folder));
  if (auto known = FindRecord(python, digest); known && known->is_lasting()) return *known;
  EngineRecord record{Engine::kForest, Evidence::kUnproven, "unproven: it was registered without a comparison"};
  TRY(KeepRecord(python, digest, record));
  return record;
}

}  // namespace slipway::model
