#pragma once

#include <gtest/gtest.h>
#include <hwy/targets.h>

namespace slipway::model {

/// Runs a test once with each kind of vectors that this machine has.
template <typename Test>
void WithEachTarget(Test&& test) {
  for (auto target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    SCOPED_TRACE(hwy::TargetName(target));
    test();
  }
  hwy::SetSupportedTargetsForTest(0);
}

}  // namespace slipway::model
