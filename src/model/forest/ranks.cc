#include "model/forest/ranks.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "model/forest/rank_kernel.h"

namespace slipway::model {
namespace {

template <typename T>
void SortUnique(std::vector<T>& values) {
  std::ranges::sort(values);
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

template <typename T, typename V>
uint32_t PlaceOf(const std::vector<T>& sorted, V value) {
  return static_cast<uint32_t>(std::ranges::lower_bound(sorted, value) - sorted.begin());
}

float FloorFloat(double value) {
  auto nearest = static_cast<float>(value);
  return static_cast<double>(nearest) > value ? std::nextafter(nearest, -std::numeric_limits<float>::infinity())
                                              : nearest;
}

}  // namespace

Ranks::Ranks(const Ensemble& ensemble)
    : zero_band_(ensemble.zero_band),
      least_category_(ensemble.least_category),
      sets_(ensemble.category_sets),
      features_(ensemble.features) {
  for (const auto& tree : ensemble.trees) {
    for (const auto& [split, left, right] : tree.nodes) {
      auto& feature = features_[split.feature];
      feature.categorical = split.categories >= 0;
      if (!feature.categorical) {
        feature.thresholds.values.push_back(split.threshold);
      } else {
        const auto& set = sets_[static_cast<size_t>(split.categories)];
        feature.categories.insert(feature.categories.end(), set.begin(), set.end());
      }
    }
  }
  for (auto& feature : features_) {
    SortUnique(feature.thresholds.values);
    SortUnique(feature.categories);
    feature.count = static_cast<uint32_t>(feature.thresholds.values.size());
    std::vector<float> floors;
    for (double threshold : feature.thresholds.values) floors.push_back(FloorFloat(threshold));
    feature.floors = Thresholds(std::move(floors));
    feature.thresholds = Thresholds(std::move(feature.thresholds.values));
  }
}

uint32_t Ranks::Count(uint32_t feature) const {
  const auto& about = features_[feature];
  return static_cast<uint32_t>(about.categorical ? about.categories.size() + 2 : about.count);
}

std::vector<double> Ranks::DecidesBy(uint32_t feature) const {
  const auto& about = features_[feature];
  if (about.categorical) return {about.categories.begin(), about.categories.end()};
  return {about.thresholds.values.begin(), about.thresholds.values.begin() + about.count};
}

uint32_t Ranks::OfThreshold(const Split& split) const {
  return PlaceOf(features_[split.feature].thresholds.values, split.threshold);
}

uint32_t Ranks::OfZero(uint32_t feature) const { return PlaceOf(features_[feature].thresholds.values, 0.0); }

std::vector<uint32_t> Ranks::OfCategories(const Split& split) const {
  const auto& feature = features_[split.feature];
  std::vector<uint32_t> ranks;
  for (uint32_t category : sets_[static_cast<size_t>(split.categories)])
    ranks.push_back(PlaceOf(feature.categories, category) + 1);
  if (split.nan == Missing::kLeft) ranks.push_back(static_cast<uint32_t>(feature.categories.size()) + 1);
  return ranks;
}

uint32_t Ranks::AppendSet(const Split& split, std::vector<uint8_t>& tables) const {
  auto first = tables.size();
  tables.resize(first + Count(split.feature) / 8 + 1);
  for (auto rank : OfCategories(split)) tables[first + rank / 8] |= static_cast<uint8_t>(1u << rank % 8);
  return static_cast<uint32_t>(first);
}

uint32_t Ranks::OfCategory(const Feature& feature, double value) const {
  if (std::isnan(value)) return static_cast<uint32_t>(feature.categories.size()) + 1;
  if (value < least_category_ || value >= 4294967296.0) return 0;
  auto category = static_cast<uint32_t>(std::max(value, 0.0));
  auto place = PlaceOf(feature.categories, category);
  return place < feature.categories.size() && feature.categories[place] == category ? place + 1 : 0;
}

void Ranks::Rank(uint32_t index, Values values, size_t rows, uint32_t* ranks) const {
  const auto& feature = features_[index];
  if (feature.categorical) {
    for (size_t row = 0; row < rows; ++row)
      ranks[row] =
          OfCategory(feature, values.floats != nullptr ? static_cast<double>(values.floats[row]) : values.doubles[row]);
  } else if (values.floats != nullptr) {
    RankFloats(feature.floors, zero_band_, values.floats, rows, ranks);
  } else {
    RankDoubles(feature.thresholds, zero_band_, values.doubles, rows, ranks);
  }
}

}  // namespace slipway::model
