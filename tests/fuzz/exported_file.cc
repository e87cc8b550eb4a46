#include "model/exported/exported_file.h"
#include "score_ensemble.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto file = slipway::model::ParseExportedFile({reinterpret_cast<const char*>(data), size});
  if (file && file->lightgbm.empty()) ScoreEnsemble(std::move(file->ensemble));
  return 0;
}
