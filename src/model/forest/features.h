#pragma once

#include <arrow/type_fwd.h>

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/forest/ranks.h"

namespace slipway::model {

struct StringHash : std::hash<std::string_view> {
  using is_transparent = void;
};
/// Category → code, by the category's text; numbers and booleans by theirs ("7", "true").
using Codes = std::unordered_map<std::string, double, StringHash, std::equal_to<>>;

/// Reads a feature's Arrow column block by block. Floats (and doubles, where the ensemble takes them) without nulls are read where
/// they lie.
class FeatureReader {
 public:
  /// `input`: the ensemble's. With `codes`, values are looked up; those without a code are missing.
  FeatureReader(Precision input, std::optional<Codes> codes) : input_(input), codes_(std::move(codes)) {}

  /// Null where values are not looked up.
  const Codes* codes() const { return codes_ ? &*codes_ : nullptr; }

  /// Whether such a column can be read.
  static bool Reads(const arrow::DataType& type);

  struct Scratch {
    std::vector<float> floats;
    std::vector<double> doubles;
  };
  /// The values of `rows` rows from `first` on; in `scratch` where they had to be converted.
  Values Read(const arrow::Array& column, int64_t first, int64_t rows, Scratch& scratch) const;

 private:
  Precision input_;
  std::optional<Codes> codes_;
};

}  // namespace slipway::model
