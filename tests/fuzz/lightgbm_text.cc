#include "model/lightgbm/text_model.h"
#include "score_ensemble.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto model = slipway::model::ParseLightGbmText({reinterpret_cast<const char*>(data), size});
  if (!model || model->num_tree_per_iteration > 1000) return 0;
  ScoreEnsemble(slipway::model::ToEnsemble(*model));
  return 0;
}
