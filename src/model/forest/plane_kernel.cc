#include "model/forest/plane_kernel.h"

#include <hwy/targets.h>

#include <algorithm>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/forest/plane_kernel.cc"
#include <hwy/foreach_target.h>  // includes this file once for each target
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::model::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Whole vectors as words: at most kRowStep bits.
using WordsTag = hn::CappedTag<uint64_t, kRowStep / 64>;

/// Bit j of a byte of vectors[i] becomes bit i of the same byte of vectors[j] (Hacker's Delight, 7-3, on whole
/// vectors).
HWY_INLINE void TransposeBits(hn::Vec<WordsTag>* vectors) {
  const WordsTag d;
  auto swap = [&](auto& low, auto& high, auto shift, uint64_t mask) HWY_ATTR {
    const auto differ = hn::And(hn::Xor(hn::ShiftRight<shift>(low), high), hn::Set(d, mask));
    high = hn::Xor(high, differ);
    low = hn::Xor(low, hn::ShiftLeft<shift>(differ));
  };
#pragma GCC unroll 4
  for (size_t i = 0; i < 4; ++i)
    swap(vectors[i], vectors[i + 4], std::integral_constant<int, 4>(), 0x0f0f0f0f0f0f0f0fu);
#pragma GCC unroll 8
  for (size_t i = 0; i < 8; ++i)
    if ((i & 2) == 0) swap(vectors[i], vectors[i + 2], std::integral_constant<int, 2>(), 0x3333333333333333u);
#pragma GCC unroll 4
  for (size_t i = 0; i < 8; i += 2)
    swap(vectors[i], vectors[i + 1], std::integral_constant<int, 1>(), 0x5555555555555555u);
}

void SlicePlanes(const uint16_t* numbers, size_t bits, size_t rows, uint8_t* planes) {
  const WordsTag d;
  const size_t bytes = hn::Lanes(d) * sizeof(uint64_t);
  HWY_ALIGN uint8_t part[kRowStep];
  for (size_t from = 0; from < bits; from += 8)
    for (size_t row = 0; row < rows; row += 8 * bytes) {
      for (size_t i = 0; i < 8 * bytes; ++i) part[i] = static_cast<uint8_t>(numbers[row + i] >> from);
      hn::Vec<WordsTag> vectors[8];
      for (size_t i = 0; i < 8; ++i) vectors[i] = hn::Load(d, reinterpret_cast<const uint64_t*>(part + i * bytes));
      TransposeBits(vectors);
      for (size_t bit = from; bit < std::min(bits, from + 8); ++bit)
        hn::Store(vectors[bit - from], d, reinterpret_cast<uint64_t*>(planes + bit * kPlaneBytes + row / 8));
    }
}

template <size_t kWords>
HWY_INLINE void RunWords(const Gate* gates, size_t count, uint64_t* planes) {
  const hn::CappedTag<uint64_t, kRowStep / 64> d;
  constexpr size_t kPlane = kPlaneBytes / sizeof(uint64_t);
  for (size_t g = 0; g < count; ++g) {
    const auto gate = gates[g];
    const uint64_t *select = planes + gate.select * kPlane, *zero = planes + gate.zero * kPlane,
                   *one = planes + gate.one * kPlane;
    uint64_t* out = planes + gate.out * kPlane;  // may be one of the inputs: each vector is read before it is written
#pragma GCC unroll 8
    for (size_t i = 0; i < kWords; i += hn::Lanes(d)) {
      const auto selected = hn::Load(d, select + i), otherwise = hn::Load(d, zero + i), then = hn::Load(d, one + i);
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
      hn::Store(hn::Vec<decltype(d)>{_mm512_ternarylogic_epi64(selected.raw, then.raw, otherwise.raw, 0xCA)}, d,
                out + i);
#else
      hn::Store(hn::Xor(otherwise, hn::And(selected, hn::Xor(otherwise, then))), d, out + i);
#endif
    }
  }
}

void RunGates(const Gate* gates, size_t count, size_t rows, uint8_t* planes) {
  auto* words = reinterpret_cast<uint64_t*>(planes);
  constexpr size_t kStep = kRowStep / 64;
  return rows == kRowStep ? RunWords<kStep>(gates, count, words) : RunWords<2 * kStep>(gates, count, words);
}
static_assert(kPlaneRows == 2 * kRowStep);

template <size_t kBits>
HWY_INLINE void JoinBits(const uint8_t* planes, const uint32_t* bits, size_t rows, uint8_t* numbers) {
  const WordsTag d;
  const size_t bytes = hn::Lanes(d) * sizeof(uint64_t);
  for (size_t row = 0; row < rows; row += 8 * bytes) {
    hn::Vec<WordsTag> vectors[8];
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; ++i)
      vectors[i] = i < kBits ? hn::Load(d, reinterpret_cast<const uint64_t*>(planes + bits[i] * kPlaneBytes + row / 8))
                             : hn::Zero(d);
    TransposeBits(vectors);
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; ++i) hn::Store(vectors[i], d, reinterpret_cast<uint64_t*>(numbers + row + i * bytes));
  }
}

void JoinPlanes(const uint8_t* planes, const uint32_t* bits, size_t count, size_t rows, uint8_t* numbers) {
  switch (count) {
    case 1: return JoinBits<1>(planes, bits, rows, numbers);
    case 2: return JoinBits<2>(planes, bits, rows, numbers);
    case 3: return JoinBits<3>(planes, bits, rows, numbers);
    case 4: return JoinBits<4>(planes, bits, rows, numbers);
    case 5: return JoinBits<5>(planes, bits, rows, numbers);
    case 6: return JoinBits<6>(planes, bits, rows, numbers);
    case 7: return JoinBits<7>(planes, bits, rows, numbers);
    default: return JoinBits<8>(planes, bits, rows, numbers);
  }
}
}  // namespace slipway::model::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::model {

HWY_EXPORT(SlicePlanes);
HWY_EXPORT(RunGates);
HWY_EXPORT(JoinPlanes);

void SlicePlanes(const uint16_t* numbers, size_t bits, size_t rows, uint8_t* planes) {
  HWY_DYNAMIC_DISPATCH(SlicePlanes)(numbers, bits, rows, planes);
}
void RunGates(const Gate* gates, size_t count, size_t rows, uint8_t* planes) {
  HWY_DYNAMIC_DISPATCH(RunGates)(gates, count, rows, planes);
}
void JoinPlanes(const uint8_t* planes, const uint32_t* bits, size_t count, size_t rows, uint8_t* numbers) {
  HWY_DYNAMIC_DISPATCH(JoinPlanes)(planes, bits, count, rows, numbers);
}
}  // namespace slipway::model
#endif
