#pragma once

#include <map>
#include <vector>

#include "model/forest/ensemble.h"
#include "model/forest/thresholds.h"

namespace slipway::model {

/// One feature's values for the rows of a block, as they lie in memory: one of the two, NaN for missing.
struct Values {
  const float* floats = nullptr;
  const double* doubles = nullptr;
};

/// Turns values into ranks: how many of a feature's thresholds, over the whole ensemble, lie below a value. `value <=
/// threshold` is then a compare of small whole numbers. The rank of a category is its place among those that the
/// feature's sets name, from 1; 0 is any other, and the one behind the last stands for NaN.
class Ranks {
 public:
  static constexpr uint32_t kNaN = 1u << 31,
                            kZero = 1u << 30;  ///< flags beside the rank of a value that a split is by order of

  explicit Ranks(const Ensemble& ensemble);

  bool IsCategorical(uint32_t feature) const { return features_[feature].categorical; }
  /// How many thresholds a feature has, or ranks of categories.
  uint32_t Count(uint32_t feature) const;
  /// A feature's thresholds, or its categories.
  std::vector<double> DecidesBy(uint32_t feature) const;
  /// The rank of the split's threshold: values of at most this rank go left.
  uint32_t OfThreshold(const Split& split) const;
  uint32_t OfZero(uint32_t feature) const;
  /// The ranks that a split by category sends left.
  std::vector<uint32_t> OfCategories(const Split& split) const;
  /// The same as a table of bits, appended to `tables`; where it starts.
  uint32_t AppendSet(const Split& split, std::vector<uint8_t>& tables) const;

  /// The ranks of `rows` values, with flags.
  void Rank(uint32_t feature, Values values, size_t rows, uint32_t* ranks) const;

 private:
  struct Feature {
    bool categorical = false;
    uint32_t count = 0;                ///< of the thresholds
    Thresholds<double> thresholds;     ///< each once
    Thresholds<float> floors;          ///< the same, rounded down: for a float x, x <= t is x <= floor(t)
    std::vector<uint32_t> categories;  ///< sorted, each once
  };
  uint32_t OfCategory(const Feature& feature, double value) const;

  double zero_band_, least_category_;
  const std::vector<std::vector<uint32_t>> sets_;
  std::vector<Feature> features_;
};

}  // namespace slipway::model
