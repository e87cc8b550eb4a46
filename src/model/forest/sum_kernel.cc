#include "model/forest/sum_kernel.h"

#include <hwy/targets.h>

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/forest/sum_kernel.cc"
#include <hwy/foreach_target.h>  // includes this file once for each target
#include <hwy/highway.h>

#include "model/forest/look_up-inl.h"

HWY_BEFORE_NAMESPACE();
namespace slipway::model::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
HWY_INLINE __m512d LookUp64(const double* tables, __m512i number) {
  const auto sixteen = _mm512_test_epi64_mask(number, _mm512_set1_epi64(16)),
             half = _mm512_test_epi64_mask(number, _mm512_set1_epi64(32));
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

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
/// One byte of the values of 64 numbers; kTables registers of 64 bytes each.
template <size_t kTables>
HWY_INLINE __m512i LookUpBytes(const uint8_t* bytes, __m512i numbers) {
  auto table = [&](size_t t) HWY_ATTR { return _mm512_load_si512(bytes + 64 * t); };
  if constexpr (kTables == 1) {
    return _mm512_permutexvar_epi8(numbers, table(0));
  } else if constexpr (kTables == 2) {
    return _mm512_permutex2var_epi8(table(0), numbers, table(1));
  } else {
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(numbers), LookUpBytes<2>(bytes, numbers),
                                  LookUpBytes<2>(bytes + 128, numbers));
  }
}

/// Where to put the numbers of 64 rows so that the values come out in the rows' order: the bytes of values are put
/// together within each lane of 16 bytes.
template <typename T>
HWY_INLINE __m512i OrderForBytes() {
  constexpr size_t kOfLane = 16 / sizeof(T);
  alignas(64) uint8_t order[64];
  for (size_t vector = 0; vector < sizeof(T); ++vector)
    for (size_t lane = 0; lane < 4; ++lane)
      for (size_t i = 0; i < kOfLane; ++i)
        order[16 * lane + kOfLane * vector + i] = static_cast<uint8_t>(4 * kOfLane * vector + kOfLane * lane + i);
  return _mm512_load_si512(order);
}

HWY_INLINE __m512d Add(const double* sums, __m512i values) {
  return _mm512_add_pd(_mm512_load_pd(sums), _mm512_castsi512_pd(values));
}
HWY_INLINE __m512 Add(const float* sums, __m512i values) {
  return _mm512_add_ps(_mm512_load_ps(sums), _mm512_castsi512_ps(values));
}
HWY_INLINE void Put(double* sums, __m512d values) { _mm512_store_pd(sums, values); }
HWY_INLINE void Put(float* sums, __m512 values) { _mm512_store_ps(sums, values); }

/// One look for each byte of 64 values at once; then bytes become pairs, pairs fours, fours eights.
template <typename T, size_t kTables>
HWY_INLINE void AddByBytes(const uint8_t* bytes, const uint8_t* numbers, size_t rows, T* sums) {
  const auto order = OrderForBytes<T>();
  for (size_t row = 0; row < rows; row += 64) {
    const auto number = _mm512_permutexvar_epi8(order, _mm512_load_si512(numbers + row));
    __m512i byte[sizeof(T)], pair[sizeof(T)], four[sizeof(T)];
#pragma GCC unroll 8
    for (size_t i = 0; i < sizeof(T); ++i) byte[i] = LookUpBytes<kTables>(bytes + 64 * kTables * i, number);
#pragma GCC unroll 4
    for (size_t i = 0; i < sizeof(T) / 2; ++i) {  // pair[half of the rows][which pair]
      pair[i] = _mm512_unpacklo_epi8(byte[2 * i], byte[2 * i + 1]);
      pair[sizeof(T) / 2 + i] = _mm512_unpackhi_epi8(byte[2 * i], byte[2 * i + 1]);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < sizeof(T) / 2; ++i) {
      four[2 * i] = _mm512_unpacklo_epi16(pair[2 * i], pair[2 * i + 1]);
      four[2 * i + 1] = _mm512_unpackhi_epi16(pair[2 * i], pair[2 * i + 1]);
    }
    if constexpr (sizeof(T) == 4) {
#pragma GCC unroll 4
      for (size_t i = 0; i < 4; ++i) Put(sums + row + 16 * i, Add(sums + row + 16 * i, four[i]));
    } else {
#pragma GCC unroll 4
      for (size_t i = 0; i < 4; ++i) {  // four[half][which four][quarter]
        const size_t half = i / 2 * 4, quarter = i % 2;
        const auto low = four[half + quarter], high = four[half + 2 + quarter];
        T* at = sums + row + 16 * i;
        Put(at, Add(at, _mm512_unpacklo_epi32(low, high)));
        Put(at + 8, Add(at + 8, _mm512_unpackhi_epi32(low, high)));
      }
    }
  }
}
#endif

/// Leaves of small trees are looked up in registers where those are wide: that is faster than a gather.
template <typename T>
HWY_INLINE void AddOne(const Table<T>& table, size_t rows, T* sums) {
  const uint8_t *numbers = table.numbers, *high = table.high;
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL
  if (table.count <= 64) return AddByBytes<T, 1>(table.bytes, numbers, rows, sums);
  if (table.count <= 128) return AddByBytes<T, 2>(table.bytes, numbers, rows, sums);
  if (table.count <= kMostByteValues) return AddByBytes<T, 4>(table.bytes, numbers, rows, sums);
#elif HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  if (table.count <= 64) {
    const hn::ScalableTag<T> d;
    for (size_t row = 0; row < rows; row += hn::Lanes(d)) {
      const auto value = hn::Vec<decltype(d)>{LookUp64(table.values, Numbers(table.values, numbers + row))};
      hn::Store(hn::Add(hn::Load(d, sums + row), value), d, sums + row);
    }
    return;
  }
#endif
  const T* values = table.values;
  if (high == nullptr) {
#pragma GCC unroll 4
    for (size_t row = 0; row < rows; ++row) sums[row] += values[numbers[row]];
  } else {
#pragma GCC unroll 4
    for (size_t row = 0; row < rows; ++row) sums[row] += values[numbers[row] | size_t{high[row]} << 8];
  }
}

/// The values of the next rows, as many as there are in 16 bytes: put together from single ones, so that they are added
/// at once.
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3
HWY_INLINE __m128d Together(const double* values, auto&& number) {
  return _mm_set_pd(values[number(1)], values[number(0)]);
}
HWY_INLINE __m128 Together(const float* values, auto&& number) {
  return _mm_set_ps(values[number(3)], values[number(2)], values[number(1)], values[number(0)]);
}
#endif

/// Where values are read one by one, four tables spare three reads and writes of the sums. `kHigh`: all have numbers of
/// two halves, else none has.
template <bool kHigh, typename T>
HWY_INLINE void AddFour(const Table<T>* tables, size_t rows, T* sums) {
  const Table<T> a = tables[0], b = tables[1], c = tables[2], d = tables[3];
  auto number = [](const Table<T>& table, size_t row) HWY_ATTR {
    return kHigh ? table.numbers[row] | size_t{table.high[row]} << 8 : size_t{table.numbers[row]};
  };
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_SSSE3
  const hn::Full128<T> d128;
  using Vector = hn::Vec<hn::Full128<T>>;
  for (size_t row = 0; row < rows; row += hn::Lanes(d128)) {
    auto of = [&](const Table<T>& table) HWY_ATTR {
      return Vector{Together(table.values, [&](size_t i) HWY_ATTR { return number(table, row + i); })};
    };
    const auto sum = hn::Add(hn::Add(hn::Add(hn::Add(hn::Load(d128, sums + row), of(a)), of(b)), of(c)), of(d));
    hn::Store(sum, d128, sums + row);
  }
#else
  for (size_t row = 0; row < rows; ++row)
    sums[row] = (((sums[row] + a.values[number(a, row)]) + b.values[number(b, row)]) + c.values[number(c, row)]) +
                d.values[number(d, row)];
#endif
}

template <typename T>
HWY_INLINE void AddAll(std::span<const Table<T>> tables, size_t rows, T* sums) {
  constexpr size_t kInRegisters = kPermutesBytes ? kMostByteValues
                                  : kWide        ? 64
                                                 : 0;  // values that AddOne looks up there
  auto four_of = [](std::span<const Table<T>> these, bool high) {
    return these.size() >= 4 && std::ranges::all_of(these.first(4), [=](const Table<T>& table) {
             return (table.high != nullptr) == high && table.count > kInRegisters;
           });
  };
  while (!tables.empty()) {
    size_t added = 4;
    if (four_of(tables, false))
      AddFour<false>(tables.data(), rows, sums);
    else if (four_of(tables, true))
      AddFour<true>(tables.data(), rows, sums);
    else
      AddOne(tables.front(), rows, sums), added = 1;
    tables = tables.subspan(added);
  }
}

void AddDoubles(std::span<const Table<double>> tables, size_t rows, double* sums) { AddAll(tables, rows, sums); }
void AddFloats(std::span<const Table<float>> tables, size_t rows, float* sums) { AddAll(tables, rows, sums); }
}  // namespace slipway::model::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::model {

HWY_EXPORT(AddDoubles);
HWY_EXPORT(AddFloats);

void AddGathered(std::span<const Table<double>> tables, size_t rows, double* sums) {
  HWY_DYNAMIC_DISPATCH(AddDoubles)(tables, rows, sums);
}
void AddGathered(std::span<const Table<float>> tables, size_t rows, float* sums) {
  HWY_DYNAMIC_DISPATCH(AddFloats)(tables, rows, sums);
}
}  // namespace slipway::model
#endif
