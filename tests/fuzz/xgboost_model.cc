#include "model/xgboost/model_file.h"
#include "score_ensemble.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  auto file = slipway::model::ParseXgboostFile({reinterpret_cast<const char*>(data + 1), size - 1}, data[0] % 2 == 1);
  if (file) ScoreEnsemble(std::move(file->ensemble));
  return 0;
}
