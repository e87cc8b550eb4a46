#include <vector>

#include "model/lightgbm/text_model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto model = slipway::model::ParseLightGbmText({reinterpret_cast<const char*>(data), size});
  if (!model || model->num_tree_per_iteration > 1000) return 0;
  std::vector<double> features(model->feature_names.size(), 0.5), output(static_cast<size_t>(model->num_tree_per_iteration));
  slipway::model::Predict(*model, features.data(), output.data());
  return 0;
}
