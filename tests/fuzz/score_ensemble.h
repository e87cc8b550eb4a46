#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "model/forest/contributions.h"
#include "model/forest/forest.h"

/// What a loader takes must be safe to score, and a row's sums must not depend on how many rows are scored together:
/// few are walked, more are evaluated together.
inline void ScoreEnsemble(slipway::Result<slipway::model::Ensemble> ensemble) {
  using slipway::model::Contributions, slipway::model::Forest, slipway::model::kContributionBlock;
  if (!ensemble || ensemble->features > 1000 || ensemble->outputs > 1000) return;
  auto contributions = Contributions::Of(*ensemble);
  auto forest = Forest::Compile(std::move(*ensemble));
  if (!forest) return;
  constexpr size_t kRows = 100;
  std::vector<double> values(kRows);
  for (size_t row = 0; row < kRows; ++row)
    values[row] = row % 10 == 0 ? std::nan("") : static_cast<double>(row) / 7 - 5;
  std::vector<slipway::model::Values> features(forest->ensemble().features, {nullptr, values.data()});
  const size_t outputs = forest->ensemble().outputs;
  std::vector<double> few(outputs * kRows), all(outputs * kRows);
  {
    auto scratch = forest->TakeScratch();
    for (size_t rows : {size_t{1}, size_t{2}, size_t{7}, size_t{16}, size_t{17}})  // each is the start of `few`
      forest->Sum(features, rows, *scratch, few.data(), kRows);
    forest->Sum(features, kRows, *scratch, all.data(), kRows);
  }
  for (size_t k = 0; k < outputs; ++k)
    for (size_t row = 0; row < 17; ++row) {
      double one = few[k * kRows + row], other = all[k * kRows + row];
      if (std::bit_cast<uint64_t>(one) != std::bit_cast<uint64_t>(other) && !(std::isnan(one) && std::isnan(other)))
        std::abort();
    }
  if (!contributions) return;
  Contributions::Scratch room;
  std::vector<double> shares(outputs * forest->ensemble().features * kContributionBlock);
  contributions->Compute(features, kContributionBlock, room, shares.data());
}
