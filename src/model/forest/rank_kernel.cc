#include "model/forest/rank_kernel.h"

#include <hwy/targets.h>

#include <algorithm>
#include <bit>

#include "model/forest/ranks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/forest/rank_kernel.cc"
#include <hwy/foreach_target.h>  // includes this file once for each target
#include <hwy/highway.h>

#include "model/forest/look_up-inl.h"

HWY_BEFORE_NAMESPACE();
namespace slipway::model::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

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
  const size_t in_cell = thresholds.grid.fullest;
  switch (kWide || in_cell == 0 ? 0 : std::bit_ceil(in_cell)) {
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
             last = hn::Set(d, codes.last);
  const auto nan_flag = hn::Set(d, Ranks::kNaN), zero_flag = hn::Set(d, Ranks::kZero);
  for (size_t row = 0; row < rows; row += hn::Lanes(d)) {
    const auto rank = hn::LoadU(d, ranks + row);
    auto number = hn::Min(hn::Sub(hn::Max(rank, first), first), last);
    number = hn::IfThenElse(hn::TestBit(rank, zero_flag), zero, number);
    number = hn::IfThenElse(hn::TestBit(rank, nan_flag), nan, number);
    hn::StoreU(hn::TruncateTo(d16, number), d16, out + row);
  }
}
}  // namespace slipway::model::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::model {

HWY_EXPORT(RankFloats);
HWY_EXPORT(RankDoubles);
HWY_EXPORT(NarrowRanks);

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
}  // namespace slipway::model
#endif
