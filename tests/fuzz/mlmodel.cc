#include "model/mlflow/mlmodel.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)slipway::model::ParseMlModel({reinterpret_cast<const char*>(data), size}, "model");
  return 0;
}
