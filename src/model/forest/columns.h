#pragma once

#include <map>
#include <vector>

#include "model/forest/ranks.h"

namespace slipway::model {

/// Rank columns: what nodes look at. A node sends a row left when its number in the node's column is at most the node's. Numbers are
/// 8 bits wide (T = uint8_t) or 16; a feature with more thresholds than that has several columns. Those with missing values have a
/// column for each way that their nodes treat them, in which missing ranks lowest (left) or highest (right).
///
/// Categories: with 16 bits the column is the category's rank. With 8, each 256 ranks are two columns: which byte of a set to look at, and the
/// bit in it; no bit where the category is not among these 256.
template <typename T>
class Columns {
 public:
  static constexpr uint32_t kSpan = sizeof(T) == 1 ? 254 : 65534;  ///< thresholds of one column; 0 and kSpan + 1 are left and right of all

  explicit Columns(const Ranks& ranks) : ranks_(ranks) {}

  struct Place {
    uint32_t column = 0;
    T threshold = 0;
  };
  /// The column and number of a split by order; the column is made where there is none yet.
  Place OfOrder(const Split& split);
  /// The first column of a categorical feature.
  uint32_t OfCategories(uint32_t feature);
  size_t size() const { return columns_.size(); }

  /// Writes all columns for up to `rows` rows: row r of column c at `out[c * column_stride + r * row_stride]`. `scratch`: a block of ranks.
  void Write(const std::vector<Values>& features, size_t rows, uint32_t* scratch, T* out, size_t column_stride, size_t row_stride) const;

 private:
  enum class Role : uint8_t { kOrder, kCategory, kByteOfSet, kBitOfByte };
  struct Column {
    uint32_t feature = 0;
    Role role = Role::kOrder;
    Missing nan = Missing::kNever, zero = Missing::kNever;
    uint32_t first = 0;
    auto operator<=>(const Column&) const = default;
  };
  uint32_t Add(const Column& column);
  void WriteOne(const Column& column, const uint32_t* ranks, size_t rows, T* out, size_t row_stride) const;

  const Ranks& ranks_;
  std::vector<Column> columns_;
  std::map<Column, uint32_t> places_;                     ///< where each column stands
  std::map<uint32_t, std::vector<uint32_t>> of_feature_;  ///< so that a feature is ranked once
};

}  // namespace slipway::model
