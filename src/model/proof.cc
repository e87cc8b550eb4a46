#include "model/proof.h"

#include "base/file.h"
#include "model/mlflow/mlmodel.h"
#include "model/model.h"
#include "model/proof/prove.h"

namespace slipway::model {

Result<EngineRecord> ProveModel(const std::filesystem::path& folder, const PythonEngine& python) {
  ASSIGN(auto native, LoadModel(folder, python));
  if (auto choice = native->engine(); choice.engine == Engine::kPython) {
    TRY(native->Try());
    return EngineRecord{Engine::kPython, Evidence::kNotCompared, choice.why};
  }
  ASSIGN(auto digest, HashFolder(folder));
  ASSIGN(auto mlmodel, ReadMlModel(folder));
  auto known = FindRecord(python, digest);
  // Perhaps it can be compared now.
  if (known && known->evidence == Evidence::kNotCompared) TRY(ForgetRecord(python, digest));
  return ProveOnce(*native, mlmodel, python, digest);
}

}  // namespace slipway::model
