#include "model/forest/thresholds.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "model/forest/rank_kernel.h"
#include "model/forest/ranks.h"
#include "model/forest/vectors.h"

namespace slipway::model {
namespace {

template <typename T>
constexpr T kInfinity = std::numeric_limits<T>::infinity();

void Rank(const Thresholds<float>& thresholds, const std::vector<float>& values, uint32_t* ranks) {
  RankFloats(thresholds, -1, values.data(), values.size(), ranks);
}
void Rank(const Thresholds<double>& thresholds, const std::vector<double>& values, uint32_t* ranks) {
  RankDoubles(thresholds, -1, values.data(), values.size(), ranks);
}

/// All thresholds and their neighbours, the ends of the type, and values in between: each target gives what
/// std::lower_bound does.
template <typename T>
void Compare(std::vector<T> given, bool has_grid) {
  std::ranges::sort(given);
  const Thresholds<T> thresholds(given);
  EXPECT_EQ(thresholds.grid.fullest > 0, has_grid);
  using Limits = std::numeric_limits<T>;
  std::vector<T> values{0,
                        -T{0},
                        Limits::denorm_min(),
                        -Limits::denorm_min(),
                        Limits::max(),
                        Limits::lowest(),
                        kInfinity<T>,
                        -kInfinity<T>,
                        Limits::quiet_NaN()};
  for (T value : given)
    for (T at :
         {value, std::nextafter(value, kInfinity<T>), std::nextafter(value, -kInfinity<T>), value / 2, value * 2})
      values.push_back(at);
  std::vector<uint32_t> ranks(values.size() + kVectorRows);
  for (auto target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    SCOPED_TRACE(hwy::TargetName(target));
    Rank(thresholds, values, ranks.data());
    for (size_t i = 0; i < values.size(); ++i) {
      const auto place = static_cast<uint32_t>(std::ranges::lower_bound(given, values[i]) - given.begin());
      ASSERT_EQ(ranks[i], std::isnan(values[i]) ? Ranks::kNaN : place) << values[i];
    }
  }
  hwy::SetSupportedTargetsForTest(0);
}

template <typename T>
void CompareAll() {
  std::mt19937_64 random(7);
  auto make = [&](size_t count, auto&& draw) {
    std::vector<T> values;
    for (size_t i = 0; i < count; ++i) values.push_back(static_cast<T>(draw(i)));
    return values;
  };
  std::uniform_real_distribution<double> uniform(-3, 5);
  for (size_t count : {1, 15, 16, 255, 256, 3000}) {
    SCOPED_TRACE(count);
    Compare(make(count, [](size_t i) { return static_cast<double>(i) * 0.1; }), count >= Grid<T>::kFewest);
  }
  Compare(make(40, [](size_t i) { return static_cast<double>(i / 3); }), true);              // some are equal
  Compare(make(40, [](size_t i) { return static_cast<double>(i / 8); }), false);             // too many are
  Compare(make(100, [](size_t i) { return std::exp(static_cast<double>(i) / 2); }), false);  // most share a cell
  Compare(make(64, [](size_t i) { return std::numeric_limits<T>::max() * (static_cast<T>(i) / 32 - 1); }),
          false);  // a range beyond the type's
  Compare(make(64, [](size_t i) { return std::numeric_limits<T>::denorm_min() * static_cast<T>(i); }), false);
  Compare(make(64, [&](size_t i) { return i == 0 ? -static_cast<double>(kInfinity<T>) : uniform(random); }), false);
}

TEST(Thresholds, FloatsOfEveryTarget) { CompareAll<float>(); }
TEST(Thresholds, DoublesOfEveryTarget) { CompareAll<double>(); }

}  // namespace
}  // namespace slipway::model
