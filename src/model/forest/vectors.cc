#include "model/forest/vectors.h"

#include <hwy/targets.h>

namespace slipway::model {

bool LimitVectors(std::string_view target) {
  for (auto one : hwy::SupportedAndGeneratedTargets()) {
    if (target != hwy::TargetName(one)) continue;
    hwy::SetSupportedTargetsForTest(one);
    return true;
  }
  return false;
}

}  // namespace slipway::model
