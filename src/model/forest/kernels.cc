#include "model/forest/kernels.h"

#include <hwy/targets.h>

#include <algorithm>

#include "model/forest/ranks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/forest/kernels.cc"
#include <hwy/foreach_target.h>  // includes this file once for each target
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::model::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
/// tables[number] of 16 doubles or 32 floats in two registers; higher bits of the number are ignored.
HWY_INLINE __m512d LookUp(const double* tables, __m512i number) {
  return _mm512_permutex2var_pd(_mm512_load_pd(tables), number, _mm512_load_pd(tables + 8));
}
HWY_INLINE __m512 LookUp(const float* tables, __m512i number) {
  return _mm512_permutex2var_ps(_mm512_load_ps(tables), number, _mm512_load_ps(tables + 16));
}
#endif

/// How many of the thresholds lie below each lane of `x`: a binary search without branches. Its first steps look at every block's
/// last threshold, in registers where those are wide; the others gather.
template <class D, class DI = hn::RebindToSigned<D>>
HWY_INLINE hn::Vec<DI> RankVector(D d, const hn::TFromD<D>* thresholds, size_t count, const hn::TFromD<D>* pivots, hn::Vec<D> x) {
  const DI di;
  using Index = hn::TFromD<DI>;
  auto base = hn::Zero(di);
  auto step_past = [&](auto probe, size_t step) HWY_ATTR {
    base = hn::Add(base, hn::IfThenElseZero(hn::RebindMask(di, hn::Lt(probe, x)), hn::Set(di, static_cast<Index>(step))));
  };
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  const size_t lanes = hn::Lanes(d), block = count / (2 * lanes);
  for (size_t step = lanes; step > 0; step /= 2) {
    const auto at = hn::Add(base, hn::Set(di, static_cast<Index>(step - 1)));
    step_past(hn::Vec<D>{LookUp(pivots, at.raw)}, step);
  }
  base = hn::Mul(base, hn::Set(di, static_cast<Index>(block)));
#else
  const size_t block = count;
  (void)pivots;
#endif
  for (size_t left = block; left > 1;) {
    const size_t half = left / 2;
    step_past(hn::GatherIndex(d, thresholds + half - 1, base), half);
    left -= half;
  }
  return base;
}

template <typename T>
HWY_INLINE void RankValues(const T* thresholds, size_t count, double zero_band, const T* values, size_t rows, uint32_t* ranks) {
  const hn::ScalableTag<T> d;
  const hn::RebindToSigned<decltype(d)> di;
  using Index = hn::TFromD<decltype(di)>;
  constexpr size_t kMostLanes = HWY_MAX_BYTES / sizeof(T);
  const size_t lanes = hn::Lanes(d);
  const auto band = hn::Set(d, static_cast<T>(zero_band));
  const auto zero_flag = hn::Set(di, static_cast<Index>(Ranks::kZero)), nan = hn::Set(di, static_cast<Index>(Ranks::kNaN));
  HWY_ALIGN Index found[kMostLanes];
  HWY_ALIGN T pivots[2 * kMostLanes], last[kMostLanes] = {};
  for (size_t i = 0; i < 2 * lanes; ++i) pivots[i] = thresholds[(i + 1) * (count / (2 * lanes)) - 1];
  for (size_t row = 0; row < rows; row += lanes) {
    const T* from = values + row;
    if (rows - row < lanes) {
      std::copy(from, values + rows, last);
      from = last;
    }
    const auto x = hn::LoadU(d, from);
    auto rank = RankVector(d, thresholds, count, pivots, x);
    rank = hn::Or(rank, hn::IfThenElseZero(hn::RebindMask(di, hn::Le(hn::Abs(x), band)), zero_flag));
    rank = hn::IfThenElse(hn::RebindMask(di, hn::IsNaN(x)), nan, rank);
    if constexpr (sizeof(T) == sizeof(uint32_t)) {
      const hn::RebindToUnsigned<decltype(d)> du;
      hn::StoreU(hn::BitCast(du, rank), du, ranks + row);
    } else {
      hn::Store(rank, di, found);
      for (size_t i = 0; i < lanes; ++i) ranks[row + i] = static_cast<uint32_t>(found[i]);
    }
  }
}

void RankFloats(const float* thresholds, size_t count, double zero_band, const float* values, size_t rows, uint32_t* ranks) {
  RankValues(thresholds, count, zero_band, values, rows, ranks);
}
void RankDoubles(const double* thresholds, size_t count, double zero_band, const double* values, size_t rows, uint32_t* ranks) {
  RankValues(thresholds, count, zero_band, values, rows, ranks);
}

void NarrowRanks(const uint32_t* ranks, size_t rows, const RankCodes& codes, uint8_t* out) {
  const hn::ScalableTag<uint32_t> d;
  const hn::Rebind<uint8_t, decltype(d)> d8;
  const auto first = hn::Set(d, codes.first), nan = hn::Set(d, codes.nan), zero = hn::Set(d, codes.zero), most = hn::Set(d, 255u);
  const auto nan_flag = hn::Set(d, Ranks::kNaN), zero_flag = hn::Set(d, Ranks::kZero);
  for (size_t row = 0; row < rows; row += hn::Lanes(d)) {
    const auto rank = hn::LoadU(d, ranks + row);
    auto number = hn::Min(hn::Sub(hn::Max(rank, first), first), most);
    number = hn::IfThenElse(hn::TestBit(rank, zero_flag), zero, number);
    number = hn::IfThenElse(hn::TestBit(rank, nan_flag), nan, number);
    hn::StoreU(hn::TruncateTo(d8, number), d8, out + row);
  }
}

/// set[byte] for bytes below 32.
template <class D>
HWY_INLINE hn::Vec<D> ByteOfSet(D d, const uint8_t* set, hn::Vec<D> byte) {
#if HWY_TARGET == HWY_SCALAR
  return hn::Set(d, set[hn::GetLane(byte)]);
#else
  const auto low_bits = hn::Set(d, 15);
  const auto low = hn::TableLookupBytes(hn::LoadDup128(d, set), hn::And(byte, low_bits));
  const auto high = hn::TableLookupBytes(hn::LoadDup128(d, set + 16), hn::And(byte, low_bits));
  return hn::IfThenElse(hn::Gt(byte, low_bits), high, low);
#endif
}

const uint8_t* RunSteps(const Step* steps, size_t count, const StepMemory& memory, size_t rows) {
  const hn::ScalableTag<uint8_t> d;
  const size_t lanes = hn::Lanes(d), stride = memory.stride;
  for (size_t s = 0; s < count; ++s) {
    const auto& step = steps[s];
    const uint8_t* column = memory.columns + step.column * stride;
    uint8_t* out = memory.slots + step.out * stride;
    const uint8_t* left = memory.slots + step.left * stride;
    const uint8_t* right = memory.slots + step.right * stride;
    const auto left_leaf = hn::Set(d, step.left), right_leaf = hn::Set(d, step.right);
    // The child's slot may be the result's: each vector is read before it is written.
    auto blend = [&](auto goes_right, auto left_of, auto right_of) HWY_ATTR {
#pragma GCC unroll 4
      for (size_t i = 0; i < rows; i += lanes) hn::Store(hn::IfThenElse(goes_right(i), right_of(i), left_of(i)), d, out + i);
    };
    auto with_sides = [&](auto goes_right) HWY_ATTR {
      auto left_slot = [&](size_t i) HWY_ATTR { return hn::Load(d, left + i); };
      auto right_slot = [&](size_t i) HWY_ATTR { return hn::Load(d, right + i); };
      auto left_constant = [&](size_t) HWY_ATTR { return left_leaf; };
      auto right_constant = [&](size_t) HWY_ATTR { return right_leaf; };
      if (step.left_is_leaf && step.right_is_leaf)
        blend(goes_right, left_constant, right_constant);
      else if (step.left_is_leaf)
        blend(goes_right, left_constant, right_slot);
      else if (step.right_is_leaf)
        blend(goes_right, left_slot, right_constant);
      else
        blend(goes_right, left_slot, right_slot);
    };
    if (step.pages == 0) {
      const auto threshold = hn::Set(d, step.threshold);
      with_sides([&](size_t i) HWY_ATTR { return hn::Gt(hn::Load(d, column + i), threshold); });
    } else {
      with_sides([&](size_t i) HWY_ATTR {
        auto in_set = hn::Zero(d);
        for (size_t page = 0; page < step.pages; ++page) {
          const auto byte = hn::Load(d, column + 2 * page * stride + i), bit = hn::Load(d, column + (2 * page + 1) * stride + i);
          const uint8_t* set = memory.tables + step.set + 32 * page;
          in_set = hn::Or(in_set, hn::And(ByteOfSet(d, set, byte), bit));
        }
        return hn::Eq(in_set, hn::Zero(d));
      });
    }
  }
  return memory.slots + steps[count - 1].out * stride;
}

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
HWY_INLINE __m512d LookUp64(const double* tables, __m512i number) {
  const auto sixteen = _mm512_test_epi64_mask(number, _mm512_set1_epi64(16)), half = _mm512_test_epi64_mask(number, _mm512_set1_epi64(32));
  const auto low = _mm512_mask_blend_pd(sixteen, LookUp(tables, number), LookUp(tables + 16, number));
  const auto high = _mm512_mask_blend_pd(sixteen, LookUp(tables + 32, number), LookUp(tables + 48, number));
  return _mm512_mask_blend_pd(half, low, high);
}
HWY_INLINE __m512 LookUp64(const float* tables, __m512i number) {
  const auto half = _mm512_test_epi32_mask(number, _mm512_set1_epi32(32));
  return _mm512_mask_blend_ps(half, LookUp(tables, number), LookUp(tables + 32, number));
}
HWY_INLINE __m512i Numbers(const double*, const uint8_t* leaves) {
  return _mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(leaves)));
}
HWY_INLINE __m512i Numbers(const float*, const uint8_t* leaves) {
  return _mm512_cvtepu8_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(leaves)));
}
#endif

/// Leaves of small trees are looked up in registers where those are wide: that is faster than a gather.
template <typename T>
HWY_INLINE void AddLookedUp(const T* values, size_t count, const uint8_t* leaves, size_t rows, T* sums) {
  size_t row = 0;
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  if (count <= 64) {
    const hn::ScalableTag<T> d;
    for (; row < rows; row += hn::Lanes(d)) {
      const auto value = hn::Vec<decltype(d)>{LookUp64(values, Numbers(values, leaves + row))};
      hn::Store(hn::Add(hn::Load(d, sums + row), value), d, sums + row);
    }
    return;
  }
#endif
  (void)count;
  for (; row + 4 <= rows; row += 4) {
    sums[row] += values[leaves[row]];
    sums[row + 1] += values[leaves[row + 1]];
    sums[row + 2] += values[leaves[row + 2]];
    sums[row + 3] += values[leaves[row + 3]];
  }
  for (; row < rows; ++row) sums[row] += values[leaves[row]];
}

void AddDoubles(const double* values, size_t count, const uint8_t* leaves, size_t rows, double* sums) {
  AddLookedUp(values, count, leaves, rows, sums);
}
void AddFloats(const float* values, size_t count, const uint8_t* leaves, size_t rows, float* sums) {
  AddLookedUp(values, count, leaves, rows, sums);
}

size_t VectorRows() { return hn::Lanes(hn::ScalableTag<uint8_t>()); }

}  // namespace slipway::model::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::model {

HWY_EXPORT(RankFloats);
HWY_EXPORT(RankDoubles);
HWY_EXPORT(NarrowRanks);
HWY_EXPORT(RunSteps);
HWY_EXPORT(AddDoubles);
HWY_EXPORT(AddFloats);
HWY_EXPORT(VectorRows);

void RankFloats(const float* thresholds, size_t count, double zero_band, const float* values, size_t rows, uint32_t* ranks) {
  HWY_DYNAMIC_DISPATCH(RankFloats)(thresholds, count, zero_band, values, rows, ranks);
}
void RankDoubles(const double* thresholds, size_t count, double zero_band, const double* values, size_t rows, uint32_t* ranks) {
  HWY_DYNAMIC_DISPATCH(RankDoubles)(thresholds, count, zero_band, values, rows, ranks);
}
void NarrowRanks(const uint32_t* ranks, size_t rows, const RankCodes& codes, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(NarrowRanks)(ranks, rows, codes, out);
}
const uint8_t* RunSteps(const Step* steps, size_t count, const StepMemory& memory, size_t rows) {
  return HWY_DYNAMIC_DISPATCH(RunSteps)(steps, count, memory, rows);
}
void AddGathered(const double* values, size_t count, const uint8_t* leaves, size_t rows, double* sums) {
  HWY_DYNAMIC_DISPATCH(AddDoubles)(values, count, leaves, rows, sums);
}
void AddGathered(const float* values, size_t count, const uint8_t* leaves, size_t rows, float* sums) {
  HWY_DYNAMIC_DISPATCH(AddFloats)(values, count, leaves, rows, sums);
}

size_t VectorRows() { return HWY_DYNAMIC_DISPATCH(VectorRows)(); }

bool LimitVectors(std::string_view target) {
  for (auto one : hwy::SupportedAndGeneratedTargets()) {
    if (target != hwy::TargetName(one)) continue;
    hwy::SetSupportedTargetsForTest(one);
    return true;
  }
  return false;
}

}  // namespace slipway::model
#endif
