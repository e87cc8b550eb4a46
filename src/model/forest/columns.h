#pragma once

#include <map>
#include <vector>

#include "model/forest/ranks.h"

namespace slipway::model {

/// Rank columns: what nodes look at. A node sends a row left when its number in the node's column is at most the
/// node's. Numbers are 16 bits wide; a feature with more thresholds than that has several columns. Those with missing
/// values have a column for each way that their nodes treat them, in which missing ranks lowest (left) or highest
/// (right). The column of categories has their ranks.
class Columns {
 public:
  static constexpr uint32_t kSpan = 65534;  ///< thresholds of one column; 0 and kSpan + 1 are left and right of all

  explicit Columns(const Ranks& ranks) : ranks_(ranks) {}

  struct Place {
    uint32_t column = 0;
    uint16_t threshold = 0;
  };
  /// The column and number of a split by order; the column is made where there is none yet.
  Place OfOrder(const Split& split);
  /// The column of a categorical feature.
  uint32_t OfCategories(uint32_t feature);
  size_t size() const { return columns_.size(); }
  /// The largest number that stands in a column.
  uint32_t Most(uint32_t column) const;

  /// Writes all columns for up to `rows` rows: row r of column c at `out[c * column_stride + r * row_stride]`.
  /// `scratch`: a block of ranks.
  void Write(const std::vector<Values>& features, size_t rows, uint32_t* scratch, uint16_t* out, size_t column_stride,
             size_t row_stride) const;

 private:
  enum class Role : uint8_t { kOrder, kCategory };
  struct Column {
    uint32_t feature = 0;
    Role role = Role::kOrder;
    Missing nan = Missing::kNever, zero = Missing::kNever;
    uint32_t first = 0;
    auto operator<=>(const Column&) const = default;
  };
  uint32_t Add(const Column& column);
  void WriteOne(uint32_t column, const uint32_t* ranks, size_t rows, uint16_t* out, size_t row_stride) const;

  const Ranks& ranks_;
  std::vector<Column> columns_;
  std::map<Column, uint32_t> places_;                     ///< where each column stands
  std::map<uint32_t, std::vector<uint32_t>> of_feature_;  ///< so that a feature is ranked once
};

}  // namespace slipway::model
