#include "model/forest/kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/forest/kernels.cc"
#include <hwy/foreach_target.h>  // includes this file once for each target
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::model::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

void RankValues(const double* thresholds, size_t count, const double* values, size_t rows, uint32_t* ranks) {
  const hn::ScalableTag<double> d;
  const hn::RebindToSigned<decltype(d)> di;
  const size_t lanes = hn::Lanes(d);
  HWY_ALIGN int64_t found[HWY_MAX_BYTES / sizeof(int64_t)];
  size_t row = 0;
  if (count > 0) {
    for (; row + lanes <= rows; row += lanes) {
      const auto x = hn::LoadU(d, values + row);
      auto base = hn::Zero(di);
      for (size_t left = count; left > 1;) {
        const size_t half = left / 2;
        const auto probe = hn::GatherIndex(d, thresholds + half - 1, base);
        base = hn::Add(base, hn::IfThenElseZero(hn::RebindMask(di, hn::Lt(probe, x)), hn::Set(di, static_cast<int64_t>(half))));
        left -= half;
      }
      const auto last = hn::GatherIndex(d, thresholds, base);
      base = hn::Add(base, hn::IfThenElseZero(hn::RebindMask(di, hn::Lt(last, x)), hn::Set(di, 1)));
      hn::Store(base, di, found);
      for (size_t i = 0; i < lanes; ++i) ranks[row + i] = static_cast<uint32_t>(found[i]);
    }
  }
  for (; row < rows; ++row) {
    uint32_t rank = 0;
    for (size_t i = 0, left = count; left > 0;) {
      const size_t half = (left + 1) / 2;
      if (thresholds[i + half - 1] < values[row]) {
        i += half;
        rank = static_cast<uint32_t>(i);
        left -= half;
      } else {
        left = half - 1;
      }
    }
    ranks[row] = rank;
  }
}

const uint8_t* RunSteps(const Forest::Step* steps, size_t count, const uint8_t* ranks, uint8_t* slots) {
  const hn::ScalableTag<uint8_t> d;
  const size_t lanes = hn::Lanes(d);
  constexpr size_t kBlock = Forest::kBlock;
  for (size_t s = 0; s < count; ++s) {
    const auto& step = steps[s];
    const uint8_t* HWY_RESTRICT column = ranks + step.column * kBlock;
    uint8_t* out = slots + step.out * kBlock;
    const uint8_t* left = slots + step.left * kBlock;
    const uint8_t* right = slots + step.right * kBlock;
    const auto threshold = hn::Set(d, step.threshold), left_leaf = hn::Set(d, step.left), right_leaf = hn::Set(d, step.right);
    // The child's slot may be the result's: each vector is read before it is written.
    auto blend = [&](auto left_of, auto right_of) HWY_ATTR {
      for (size_t i = 0; i < kBlock; i += lanes) {
        const auto goes_right = hn::Gt(hn::LoadU(d, column + i), threshold);
        hn::StoreU(hn::IfThenElse(goes_right, right_of(i), left_of(i)), d, out + i);
      }
    };
    auto left_slot = [&](size_t i) HWY_ATTR { return hn::LoadU(d, left + i); };
    auto right_slot = [&](size_t i) HWY_ATTR { return hn::LoadU(d, right + i); };
    auto left_constant = [&](size_t) HWY_ATTR { return left_leaf; };
    auto right_constant = [&](size_t) HWY_ATTR { return right_leaf; };
    if (step.left_is_leaf && step.right_is_leaf)
      blend(left_constant, right_constant);
    else if (step.left_is_leaf)
      blend(left_constant, right_slot);
    else if (step.right_is_leaf)
      blend(left_slot, right_constant);
    else
      blend(left_slot, right_slot);
  }
  return slots + steps[count - 1].out * kBlock;
}

void AddGathered(const double* values, const uint8_t* leaves, size_t rows, double* sums) {
  const hn::ScalableTag<double> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<uint8_t, decltype(d)> d8;
  const size_t lanes = hn::Lanes(d);
  size_t row = 0;
  for (; row + lanes <= rows; row += lanes) {
    const auto index = hn::BitCast(di, hn::PromoteTo(hn::RebindToUnsigned<decltype(d)>(),
                                                     hn::PromoteTo(hn::Rebind<uint32_t, decltype(d)>(), hn::LoadU(d8, leaves + row))));
    hn::StoreU(hn::Add(hn::LoadU(d, sums + row), hn::GatherIndex(d, values, index)), d, sums + row);
  }
  for (; row < rows; ++row) sums[row] += values[leaves[row]];
}

}  // namespace slipway::model::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::model {

HWY_EXPORT(RankValues);
HWY_EXPORT(RunSteps);
HWY_EXPORT(AddGathered);

void RankValues(const double* thresholds, size_t count, const double* values, size_t rows, uint32_t* ranks) {
  HWY_DYNAMIC_DISPATCH(RankValues)(thresholds, count, values, rows, ranks);
}
const uint8_t* RunSteps(const Forest::Step* steps, size_t count, const uint8_t* ranks, uint8_t* slots) {
  return HWY_DYNAMIC_DISPATCH(RunSteps)(steps, count, ranks, slots);
}
void AddGathered(const double* values, const uint8_t* leaves, size_t rows, double* sums) {
  HWY_DYNAMIC_DISPATCH(AddGathered)(values, leaves, rows, sums);
}

}  // namespace slipway::model
#endif  // HWY_ONCE
