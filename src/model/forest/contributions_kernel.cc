#include "model/forest/contributions_kernel.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/forest/contributions_kernel.cc"
#include <hwy/foreach_target.h>  // includes this file once for each target
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace slipway::model::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Sums are added number by number in one order, without fused steps: every vector width gives the same bits.
void AddContributions(const ContributionTree& tree, const uint16_t* numbers, const uint8_t* sets, size_t features,
                      double* work, double* out) {
  const hn::CappedTag<double, kContributionRows> d;
  constexpr size_t kRows = kContributionRows;
  const size_t points = tree.points, lanes = hn::Lanes(d), levels = tree.levels;
  // Of the edges from the root to the one at hand, by level: whether rows take it and all earlier ones of its feature
  // (1 or 0), the products of factors, and the sums of the leaves below.
  double *held = work, *products = held + levels * kRows, *sums = products + levels * points * kRows;
  size_t path[kMostLevels];
  const auto zero = hn::Zero(d);
  auto takes = [&](const ContributionEdge& edge) HWY_ATTR {
    const uint16_t* ranks = numbers + edge.column * kContributionBlock;
    const hn::Rebind<int32_t, decltype(d)> d32;
    const hn::Rebind<uint16_t, decltype(d)> d16;
    double member[kRows];
    for (size_t row = 0; edge.is_category && row < kRows; ++row)
      member[row] = sets[edge.threshold + ranks[row] / 8] >> ranks[row] % 8 & 1;
    const auto one = hn::Set(d, 1.0), threshold = hn::Set(d, static_cast<double>(edge.threshold));
    for (size_t v = 0; v < kRows; v += lanes) {
      const auto rank = hn::PromoteTo(d, hn::PromoteTo(d32, hn::LoadU(d16, ranks + v)));
      const auto left = edge.is_category ? hn::LoadU(d, member + v) : hn::IfThenElseZero(hn::Le(rank, threshold), one);
      auto now = edge.is_left ? left : hn::Sub(one, left);
      if (edge.earlier >= 0) now = hn::Mul(now, hn::Load(d, held + static_cast<size_t>(edge.earlier) * kRows + v));
      hn::Store(now, d, held + edge.level * kRows + v);
    }
  };
  auto is_held = [&](size_t level, size_t v) HWY_ATTR { return hn::Ne(hn::Load(d, held + level * kRows + v), zero); };
  auto enter = [&](size_t e, const ContributionEdge& edge, uint32_t w) HWY_ATTR {
    takes(edge);
    const double* factors = tree.factors.data() + e * points * kContributionFactors;
    double *product = products + edge.level * points * kRows, *sum = sums + edge.level * points * kRows;
    const auto value = hn::Set(d, edge.leaf < 0 ? 0.0 : tree.leaves[static_cast<size_t>(edge.leaf) * tree.width + w]);
    for (size_t v = 0; v < kRows; v += lanes) {
      const auto now = is_held(edge.level, v),
                 before = is_held(edge.earlier < 0 ? edge.level : static_cast<size_t>(edge.earlier), v);
      for (size_t q = 0; q < points; ++q) {
        const double* at = factors + q * kContributionFactors;
        auto factor = hn::IfThenElse(now, hn::Set(d, at[0]), hn::Set(d, at[1]));
        if (edge.earlier >= 0) factor = hn::IfThenElse(before, factor, hn::Set(d, at[2]));
        if (edge.level > 0) factor = hn::Mul(factor, hn::Load(d, product + q * kRows + v - points * kRows));
        hn::Store(factor, d, product + q * kRows + v);
        hn::Store(hn::Mul(factor, value), d, sum + q * kRows + v);
      }
    }
  };
  auto leave = [&](size_t level, uint32_t w) HWY_ATTR {
    const auto& edge = tree.edges[path[level]];
    double *sum = sums + level * points * kRows,
           *to = out + ((tree.output + w) * features + edge.feature) * kContributionBlock;
    for (size_t v = 0; v < kRows; v += lanes) {
      auto share = [&](size_t at_level) HWY_ATTR {
        const double* factors = tree.factors.data() + path[at_level] * points * kContributionFactors;
        const auto here = is_held(at_level, v);
        auto total = zero;
        for (size_t q = 0; q < points; ++q) {
          const double* at = factors + q * kContributionFactors;
          total = hn::Add(total, hn::Mul(hn::IfThenElse(here, hn::Set(d, at[3]), hn::Set(d, at[4])),
                                         hn::Load(d, sum + q * kRows + v)));
        }
        return total;
      };
      auto total = hn::Add(hn::LoadU(d, to + v), share(level));
      if (edge.earlier >= 0)
        total = hn::Sub(total, share(static_cast<size_t>(edge.earlier)));  // its leaves count here, not there
      hn::StoreU(total, d, to + v);
      for (size_t q = 0; level > 0 && q < points; ++q) {
        double* above = sum + q * kRows + v - points * kRows;
        hn::Store(hn::Add(hn::Load(d, above), hn::Load(d, sum + q * kRows + v)), d, above);
      }
    }
  };
  for (uint32_t w = 0; w < tree.width; ++w) {
    for (size_t e = 0; e < tree.edges.size(); ++e) {
      const auto& edge = tree.edges[e];
      path[edge.level] = e;
      enter(e, edge, w);
      if (edge.leaf < 0) continue;
      const size_t next = e + 1 < tree.edges.size() ? tree.edges[e + 1].level : 0;
      for (size_t level = edge.level + 1; level-- > next;) leave(level, w);
    }
  }
}

}  // namespace slipway::model::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace slipway::model {

HWY_EXPORT(AddContributions);

void AddContributions(const ContributionTree& tree, const uint16_t* numbers, const uint8_t* sets, size_t features,
                      double* work, double* out) {
  HWY_DYNAMIC_DISPATCH(AddContributions)(tree, numbers, sets, features, work, out);
}

}  // namespace slipway::model
#endif
