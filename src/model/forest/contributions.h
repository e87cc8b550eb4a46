#pragma once

#include <hwy/aligned_allocator.h>

#include <memory>
#include <vector>

#include "model/forest/columns.h"
#include "model/forest/contributions_kernel.h"
#include "model/forest/ensemble.h"
#include "model/forest/ranks.h"

namespace slipway::model {

/// What each feature contributes to a row's sums: SHAP values that take the trees as they are ("path-dependent
/// TreeSHAP", Lundberg et al. 2020). Those of a row and the expected values add up to its sums.
///
/// For one leaf the value of a coalition is its own times, for each feature of its path, 1 or 0 (known: whether the row
/// goes there) or the share of training rows that did (unknown). The Shapley value of such a product is an integral
/// over [0, 1] of a product of linear factors, one for each feature, which Gauss and Legendre's rule gives exactly with
/// half as many points as there are features. Factors are shared along the tree: down for the products, up for the
/// leaves' sums. All factors lie in [0, 1], so that nothing but the rounding of doubles is lost.
class Contributions {
 public:
  /// kUnsupported: a tree with linear leaves, without the covers of its leaves, or too deep; naming it.
  static Result<Contributions> Of(const Ensemble& ensemble);

  /// The expected value of each sum: what they are worth where nothing is known.
  const std::vector<double>& expected() const { return expected_; }

  struct Scratch {
    std::vector<uint32_t> ranks;
    std::vector<uint16_t> numbers;
    hwy::AlignedFreeUniquePtr<double[]> work;
  };
  /// Of up to kContributionBlock rows: `[outputs, features, kContributionBlock]` in `out`.
  void Compute(const std::vector<Values>& features, size_t rows, Scratch& scratch, double* out) const;

 private:
  explicit Contributions(const Ensemble& ensemble);
  Result<> Add(const Tree& tree);

  uint32_t features_, outputs_;
  std::unique_ptr<Ranks> ranks_;
  std::unique_ptr<Columns> columns_;
  std::vector<uint8_t> sets_;
  std::vector<ContributionTree> trees_;
  std::vector<double> expected_;
  size_t work_ = 0;  ///< numbers of room that the largest tree needs
};

}  // namespace slipway::model
