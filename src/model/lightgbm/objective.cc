#include <algorithm>
#include <cmath>

#include "model/lightgbm/text_model.h"

namespace slipway::model {
namespace {

void Softmax(double* output, int count) {
  double largest = output[0];
  for (int i = 1; i < count; ++i) largest = std::max(output[i], largest);
  double sum = 0;
  for (int i = 0; i < count; ++i) {
    output[i] = std::exp(output[i] - largest);
    sum += output[i];
  }
  for (int i = 0; i < count; ++i) output[i] /= sum;
}

}  // namespace

void Convert(const LightGbmText& model, double* output) {
  int count = model.num_tree_per_iteration;
  auto outputs = static_cast<size_t>(count);
  if (model.average_output) {
    for (size_t k = 0; k < outputs; ++k) output[k] /= static_cast<double>(model.iterations);
  }
  switch (model.objective) {
    case Objective::kIdentity: return;
    case Objective::kSoftmax: return Softmax(output, count);
    case Objective::kSigmoid: output[0] = 1.0f / (1.0f + std::exp(-model.sigmoid * output[0])); return;
    case Objective::kSigmoidPerClass:
      for (size_t k = 0; k < outputs; ++k) output[k] = 1.0f / (1.0f + std::exp(-model.sigmoid * output[k]));
      return;
    case Objective::kExp: output[0] = std::exp(output[0]); return;
    case Objective::kLogOnePlusExp: output[0] = std::log1p(std::exp(output[0])); return;
    case Objective::kSignedSquare: output[0] = ((output[0] > 0) - (output[0] < 0)) * output[0] * output[0]; return;
  }
}

}  // namespace slipway::model
