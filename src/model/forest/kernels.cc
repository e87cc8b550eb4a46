#include "model/forest/kernels.h"

#include <hwy/targets.h>

#include <algorithm>
#include <bit>
#include <type_traits>

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

#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
/// The same of kTables times as many.
template <size_t kTables, class D, class V>
HWY_INLINE hn::Vec<D> LookUpIn(D d, const hn::TFromD<D>* tables, V number) {
  constexpr size_t kHalf = kTables / 2, kValues = 128 / sizeof(hn::TFromD<D>);
  if constexpr (kHalf == 0) {
    return hn::Vec<D>{LookUp(tables, number.raw)};
  } else {
    const hn::RebindToSigned<D> di;
    const auto upper = hn::TestBit(number, hn::Set(di, static_cast<hn::TFromD<decltype(di)>>(kHalf * kValues)));
    return hn::IfThenElse(hn::RebindMask(d, upper), LookUpIn<kHalf>(d, tables + kHalf * kValues, number),
                          LookUpIn<kHalf>(d, tables, number));
  }
}
#endif

constexpr bool kWide = HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3,
               kPermutesBytes = HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3_DL;

/// How many of the thresholds lie below each lane of `x`: a binary search without branches, whose first steps look in
/// registers where those are wide; the others gather.
template <class D, class DI = hn::RebindToSigned<D>>
HWY_INLINE hn::Vec<DI> Search(D d, const hn::TFromD<D>* thresholds, const Pivots<hn::TFromD<D>>& pivots, hn::Vec<D> x) {
  const DI di;
  using Index = hn::TFromD<DI>;
  auto at = hn::Set(di, Index{1});
  auto down = [&](auto probe) HWY_ATTR {
    at = hn::Sub(hn::Add(at, at), hn::VecFromMask(di, hn::RebindMask(di, hn::Lt(probe, x))));
  };
  for (size_t level = 0; level < pivots.levels; ++level) {
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
    constexpr size_t kOne = 128 / sizeof(hn::TFromD<D>);
    switch (const auto* heap = pivots.heap; (size_t{1} << level) / kOne) {
      case 0: down(LookUpIn<1>(d, heap, at)); break;
      case 1: down(LookUpIn<1>(d, heap + kOne, at)); break;
      case 2: down(LookUpIn<2>(d, heap + 2 * kOne, at)); break;
      case 4: down(LookUpIn<4>(d, heap + 4 * kOne, at)); break;
      default: down(hn::GatherIndex(d, heap, at));
    }
#else
    down(hn::GatherIndex(d, pivots.heap, at));
#endif
  }
  auto base = hn::Mul(hn::Sub(at, hn::Set(di, static_cast<Index>(size_t{1} << pivots.levels))),
                      hn::Set(di, static_cast<Index>(pivots.block)));
  for (size_t left = pivots.block; left > 1;) {
    const size_t half = left / 2;
    const auto past = hn::Lt(hn::GatherIndex(d, thresholds + half - 1, base), x);
    base = hn::Add(base, hn::IfThenElseZero(hn::RebindMask(di, past), hn::Set(di, static_cast<Index>(half))));
    left -= half;
  }
  return base;
}

/// Each lane's cell; any for NaN.
template <class D, class DI = hn::RebindToSigned<D>>
HWY_INLINE hn::Vec<DI> CellOf(D d, const Grid<hn::TFromD<D>>& grid, hn::Vec<D> x) {
  const DI di;
  auto at =
      hn::Mul(hn::Sub(hn::IfThenZeroElse(hn::IsNaN(x), x), hn::Set(d, grid.low)), hn::Set(d, grid.cells_per_unit));
  at = hn::Min(hn::Max(at, hn::Zero(d)), hn::Set(d, grid.last));
  if constexpr (sizeof(hn::TFromD<D>) == sizeof(int32_t))
    return hn::ConvertTo(di, at);
  else
    return hn::PromoteTo(di, hn::DemoteTo(hn::Rebind<int32_t, D>(), at));
}

/// `kInCell`: 0 for a search; else at least as many as the grid's fullest cell has. Single loads from a cell are faster
/// than gathers.
template <size_t kInCell, typename T>
HWY_INLINE void RankValues(const Thresholds<T>& thresholds, double zero_band, const T* values, size_t rows,
                           uint32_t* ranks) {
  const hn::ScalableTag<T> d;
  const hn::RebindToSigned<decltype(d)> di;
  using Index = hn::TFromD<decltype(di)>;
  constexpr size_t kMostLanes = HWY_MAX_BYTES / sizeof(T);
  const size_t lanes = hn::Lanes(d);
  const auto band = hn::Set(d, static_cast<T>(zero_band));
  const auto zero_flag = hn::Set(di, static_cast<Index>(Ranks::kZero)),
             nan = hn::Set(di, static_cast<Index>(Ranks::kNaN));
  const T* sorted = thresholds.values.data();
  const uint32_t* before = thresholds.grid.before.data();
  HWY_ALIGN Index found[kMostLanes];
  HWY_ALIGN T last[kMostLanes] = {};
  for (size_t row = 0; row < rows; row += lanes) {
    const T* from = values + row;
    if (rows - row < lanes) {
      std::copy(from, values + rows, last);
      from = last;
    }
    const auto x = hn::LoadU(d, from);
    hn::Vec<decltype(di)> rank;
    if constexpr (kInCell == 0) {
      rank = Search(d, sorted, thresholds.pivots, x);
    } else {
      hn::Store(CellOf(d, thresholds.grid, x), di, found);
      for (size_t i = 0; i < lanes; ++i) {
        const size_t first = before[found[i]];
        size_t below = first;
#pragma GCC unroll 8
        for (size_t k = 0; k < kInCell; ++k) below += sorted[first + k] < from[i];
        found[i] = static_cast<Index>(below);
      }
      rank = hn::Load(di, found);
    }
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

template <typename T>
HWY_INLINE void RankAll(const Thresholds<T>& thresholds, double zero_band, const T* values, size_t rows,
                        uint32_t* ranks) {
  const size_t most = thresholds.grid.most;
  switch (kWide || most == 0 ? 0 : std::bit_ceil(most)) {
    case 1: return RankValues<1>(thresholds, zero_band, values, rows, ranks);
    case 2: return RankValues<2>(thresholds, zero_band, values, rows, ranks);
    case 4: return RankValues<4>(thresholds, zero_band, values, rows, ranks);
    case 8: return RankValues<8>(thresholds, zero_band, values, rows, ranks);
    default: return RankValues<0>(thresholds, zero_band, values, rows, ranks);
  }
}

void RankFloats(const Thresholds<float>& thresholds, double zero_band, const float* values, size_t rows,
                uint32_t* ranks) {
  RankAll(thresholds, zero_band, values, rows, ranks);
}
void RankDoubles(const Thresholds<double>& thresholds, double zero_band, const double* values, size_t rows,
                 uint32_t* ranks) {
  RankAll(thresholds, zero_band, values, rows, ranks);
}

void NarrowRanks(const uint32_t* ranks, size_t rows, const RankCodes& codes, uint16_t* out) {
  const hn::ScalableTag<uint32_t> d;
  const hn::Rebind<uint16_t, decltype(d)> d16;
  const auto first = hn::Set(d, codes.first), nan = hn::Set(d, codes.nan), zero = hn::Set(d, codes.zero),
             most = hn::Set(d, codes.most);
  const auto nan_flag = hn::Set(d, Ranks::kNaN), zero_flag = hn::Set(d, Ranks::kZero);
  for (size_t row = 0; row < rows; row += hn::Lanes(d)) {
    const auto rank = hn::LoadU(d, ranks + row);
    auto number = hn::Min(hn::Sub(hn::Max(rank, first), first), most);
    number = hn::IfThenElse(hn::TestBit(rank, zero_flag), zero, number);
    number = hn::IfThenElse(hn::TestBit(rank, nan_flag), nan, number);
    hn::StoreU(hn::TruncateTo(d16, number), d16, out + row);
  }
}

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
  const hn::Full128<T> few;
  using Vector = hn::Vec<hn::Full128<T>>;
  for (size_t row = 0; row < rows; row += hn::Lanes(few)) {
    auto of = [&](const Table<T>& table) HWY_ATTR {
      return Vector{Together(table.values, [&](size_t i) HWY_ATTR { return number(table, row + i); })};
    };
    const auto sum = hn::Add(hn::Add(hn::Add(hn::Add(hn::Load(few, sums + row), of(a)), of(b)), of(c)), of(d));
    hn::Store(sum, few, sums + row);
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

HWY_EXPORT(RankFloats);
HWY_EXPORT(RankDoubles);
HWY_EXPORT(NarrowRanks);
HWY_EXPORT(SlicePlanes);
HWY_EXPORT(RunGates);
HWY_EXPORT(JoinPlanes);
HWY_EXPORT(AddDoubles);
HWY_EXPORT(AddFloats);

void RankFloats(const Thresholds<float>& thresholds, double zero_band, const float* values, size_t rows,
                uint32_t* ranks) {
  HWY_DYNAMIC_DISPATCH(RankFloats)(thresholds, zero_band, values, rows, ranks);
}
void RankDoubles(const Thresholds<double>& thresholds, double zero_band, const double* values, size_t rows,
                 uint32_t* ranks) {
  HWY_DYNAMIC_DISPATCH(RankDoubles)(thresholds, zero_band, values, rows, ranks);
}
void NarrowRanks(const uint32_t* ranks, size_t rows, const RankCodes& codes, uint16_t* out) {
  HWY_DYNAMIC_DISPATCH(NarrowRanks)(ranks, rows, codes, out);
}
void SlicePlanes(const uint16_t* numbers, size_t bits, size_t rows, uint8_t* planes) {
  HWY_DYNAMIC_DISPATCH(SlicePlanes)(numbers, bits, rows, planes);
}
void RunGates(const Gate* gates, size_t count, size_t rows, uint8_t* planes) {
  HWY_DYNAMIC_DISPATCH(RunGates)(gates, count, rows, planes);
}
void JoinPlanes(const uint8_t* planes, const uint32_t* bits, size_t count, size_t rows, uint8_t* numbers) {
  HWY_DYNAMIC_DISPATCH(JoinPlanes)(planes, bits, count, rows, numbers);
}
void AddGathered(std::span<const Table<double>> tables, size_t rows, double* sums) {
  HWY_DYNAMIC_DISPATCH(AddDoubles)(tables, rows, sums);
}
void AddGathered(std::span<const Table<float>> tables, size_t rows, float* sums) {
  HWY_DYNAMIC_DISPATCH(AddFloats)(tables, rows, sums);
}

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
