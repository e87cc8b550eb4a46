#include "model/forest/columns.h"

#include <algorithm>

#include "model/forest/rank_kernel.h"

namespace slipway::model {

uint32_t Columns::Add(const Column& column) {
  auto [found, is_new] = places_.try_emplace(column, static_cast<uint32_t>(columns_.size()));
  if (is_new) {
    of_feature_[column.feature].push_back(found->second);
    columns_.push_back(column);
  }
  return found->second;
}

Columns::Place Columns::OfOrder(const Split& split) {
  auto rank = ranks_.OfThreshold(split);
  auto first = rank / kSpan * kSpan;
  return {Add({split.feature, Role::kOrder, split.nan, split.zero, first}), static_cast<uint16_t>(rank - first)};
}

uint32_t Columns::OfCategories(uint32_t feature) { return Add({feature, Role::kCategory}); }

uint32_t Columns::Most(uint32_t index) const {
  const auto& column = columns_[index];
  auto count = ranks_.Count(column.feature);
  return column.role == Role::kOrder ? std::min(count - column.first, kSpan + 1) : count - 1;
}

void Columns::WriteOne(uint32_t index, const uint32_t* ranks, size_t rows, uint16_t* out, size_t stride) const {
  const auto& column = columns_[index];
  if (column.role == Role::kCategory) {
    for (size_t row = 0; row < rows; ++row) out[row * stride] = static_cast<uint16_t>(ranks[row]);
    return;
  }
  const auto last = Most(index);
  auto number = [&](uint32_t rank) { return std::min(rank - std::min(rank, column.first), last); };
  auto of_missing = [&](Missing missing) {
    return missing == Missing::kLeft ? 0 : missing == Missing::kRight ? last : number(ranks_.OfZero(column.feature));
  };
  const RankCodes codes{column.first, last, of_missing(column.nan), of_missing(column.zero)};
  if (stride == 1) return NarrowRanks(ranks, rows, codes, out);
  for (size_t row = 0; row < rows; ++row)
    out[row * stride] = static_cast<uint16_t>((ranks[row] & Ranks::kNaN) != 0    ? codes.nan
                                              : (ranks[row] & Ranks::kZero) != 0 ? codes.zero
                                                                                 : number(ranks[row]));
}

void Columns::Write(const std::vector<Values>& features, size_t rows, uint32_t* scratch, uint16_t* out,
                    size_t column_stride, size_t row_stride) const {
  for (const auto& [feature, columns] : of_feature_) {
    ranks_.Rank(feature, features[feature], rows, scratch);
    for (auto column : columns) WriteOne(column, scratch, rows, out + column * column_stride, row_stride);
  }
}

}  // namespace slipway::model
