#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "model/forest/contributions.h"
#include "model/forest/forest.h"

/// What a loader takes must be safe to score: few rows, which are walked, and more, which are evaluated together.
inline void ScoreEnsemble(slipway::Result<slipway::model::Ensemble> ensemble) {
  using slipway::model::Contributions, slipway::model::Forest, slipway::model::kContributionBlock;
  if (!ensemble || ensemble->features > 1000 || ensemble->outputs > 1000) return;
  auto contributions = Contributions::Of(*ensemble);
  auto forest = Forest::Compile(std::move(*ensemble));
  if (!forest) return;
  constexpr size_t kRows = 100;
  std::vector<double> values(kRows);
  for (size_t row = 0; row < kRows; ++row) values[row] = row % 10 == 0 ? std::nan("") : static_cast<double>(row) / 7 - 5;
  std::vector<slipway::model::Values> features(forest->ensemble().features, {nullptr, values.data()});
  std::vector<double> sums(forest->ensemble().outputs * kRows);
  auto scratch = forest->TakeScratch();
  for (size_t rows : {size_t{1}, kRows}) forest->Sum(features, rows, *scratch, sums.data(), kRows);
  if (!contributions) return;
  Contributions::Scratch room;
  std::vector<double> shares(size_t{forest->ensemble().outputs} * forest->ensemble().features * kContributionBlock);
  contributions->Compute(features, kContributionBlock, room, shares.data());
}
