#include "model/forest/rank_kernel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "model/forest/each_target.h"
#include "model/forest/ranks.h"
#include "model/forest/vectors.h"

namespace slipway::model {
namespace {

/// As rank_kernel.h says it, one by one.
uint16_t Narrow(uint32_t rank, const RankCodes& codes) {
  if ((rank & Ranks::kNaN) != 0) return static_cast<uint16_t>(codes.nan);
  if ((rank & Ranks::kZero) != 0) return static_cast<uint16_t>(codes.zero);
  return static_cast<uint16_t>(std::min(rank - std::min(rank, codes.first), codes.last));
}

TEST(NarrowRanks, EveryTargetEqualsTheWords) {
  std::mt19937 random(1);
  for (RankCodes codes : {RankCodes{0, 10, 0, 5}, RankCodes{65534, 65535, 65535, 3}, RankCodes{7, 0, 0, 0}})
    for (size_t rows : {size_t{1}, size_t{15}, size_t{64}, size_t{1000}}) {
      std::vector<uint32_t> ranks(rows + kVectorRows);
      for (size_t row = 0; row < rows; ++row) switch (random() % 4) {
          case 0: ranks[row] = Ranks::kNaN; break;
          case 1: ranks[row] = Ranks::kZero | random() % 20; break;
          case 2: ranks[row] = random() % 20; break;
          default: ranks[row] = random() % 200'000;
        }
      WithEachTarget([&] {
        std::vector<uint16_t> narrow(rows + kVectorRows);
        NarrowRanks(ranks.data(), rows, codes, narrow.data());
        for (size_t row = 0; row < rows; ++row)
          ASSERT_EQ(narrow[row], Narrow(ranks[row], codes)) << "rank " << ranks[row] << " of row " << row;
      });
    }
}

}  // namespace
}  // namespace slipway::model
