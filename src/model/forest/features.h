#pragma once

#include <arrow/type_fwd.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "model/forest/codes.h"
#include "model/forest/ranks.h"
#include "model/mlflow/signature.h"

namespace slipway::model {

/// What a feature may be; the library raises an error on anything else.
struct Accepts {
  bool missing = true, unknown = true;  ///< nulls and NaN; values that have no code of their own
  double smallest = -std::numeric_limits<double>::infinity(), largest = std::numeric_limits<double>::infinity();

  /// Infinite values are refused.
  void OnlyFinite() {
    smallest = std::max(smallest, std::numeric_limits<double>::lowest());
    largest = std::min(largest, std::numeric_limits<double>::max());
  }
};

/// The columns of a model's rows, one for each feature: how they are read, and what they may hold.
class Inputs {
 public:
  std::vector<ColumnSpec> specs;
  std::vector<std::optional<Codes>> codes;  ///< of those whose values are looked up
  std::vector<Accepts> accepts;

  Inputs() = default;
  explicit Inputs(std::vector<ColumnSpec> columns)
      : specs(std::move(columns)), codes(specs.size()), accepts(specs.size()) {}
  size_t size() const { return specs.size(); }

  /// The batch's columns, in the features' order. kInvalid: one that no feature can be.
  Result<arrow::ArrayVector> ColumnsOf(const arrow::RecordBatch& batch) const;

  struct Scratch {
    std::vector<float> floats;
    std::vector<double> doubles;
  };
  /// The values of `rows` rows from `first` on, by feature; in `scratch` where they had to be converted. Floats (and
  /// doubles, where `input` is kDouble) without nulls are read where they lie. kInvalid: a value that the library
  /// refuses.
  Result<> Read(const arrow::ArrayVector& columns, int64_t first, int64_t rows, Precision input,
                std::vector<Scratch>& scratch, std::vector<Values>& values) const;

 private:
  Result<> Check(size_t feature, const Values& values, size_t rows) const;
};

}  // namespace slipway::model
