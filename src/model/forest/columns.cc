#include "model/forest/columns.h"

#include <algorithm>

#include "model/forest/kernels.h"

namespace slipway::model {

template <typename T>
uint32_t Columns<T>::Add(const Column& column) {
  auto [found, is_new] = places_.try_emplace(column, static_cast<uint32_t>(columns_.size()));
  if (is_new) {
    of_feature_[column.feature].push_back(found->second);
    columns_.push_back(column);
  }
  return found->second;
}

template <typename T>
typename Columns<T>::Place Columns<T>::OfOrder(const Split& split) {
  auto rank = ranks_.OfThreshold(split);
  auto first = rank / kSpan * kSpan;
  return {Add({split.feature, Role::kOrder, split.nan, split.zero, first}), static_cast<T>(rank - first)};
}

template <typename T>
uint32_t Columns<T>::OfCategories(uint32_t feature) {
  if constexpr (sizeof(T) == 2) return Add({feature, Role::kCategory});
  auto column = Add({feature, Role::kByteOfSet});
  for (uint32_t first = 0; first < ranks_.Count(feature); first += 256) {
    Add({feature, Role::kByteOfSet, Missing::kNever, Missing::kNever, first});
    Add({feature, Role::kBitOfByte, Missing::kNever, Missing::kNever, first});
  }
  return column;
}

template <typename T>
void Columns<T>::WriteOne(const Column& column, const uint32_t* ranks, size_t rows, T* out, size_t stride) const {
  if (column.role == Role::kOrder) {
    auto number = [&](uint32_t rank) { return static_cast<T>(std::min(rank - std::min(rank, column.first), kSpan + 1)); };
    auto of_zero = number(ranks_.OfZero(column.feature));
    auto of_missing = [&](Missing missing) {
      return missing == Missing::kLeft ? T{0} : missing == Missing::kRight ? static_cast<T>(kSpan + 1) : of_zero;
    };
    RankCodes codes{column.first, of_missing(column.nan), of_missing(column.zero)};
    if constexpr (sizeof(T) == 1) {
      if (stride == 1) return NarrowRanks(ranks, rows, codes, out);
    }
    for (size_t row = 0; row < rows; ++row)
      out[row * stride] = (ranks[row] & Ranks::kNaN) != 0    ? static_cast<T>(codes.nan)
                          : (ranks[row] & Ranks::kZero) != 0 ? static_cast<T>(codes.zero)
                                                             : number(ranks[row]);
    return;
  }
  for (size_t row = 0; row < rows; ++row) {
    auto rank = ranks[row];
    bool here = rank >= column.first && rank - column.first < 256;
    out[row * stride] = static_cast<T>(column.role == Role::kCategory    ? rank
                                       : column.role == Role::kByteOfSet ? (rank - column.first) / 8 % 32
                                       : here                            ? 1u << (rank - column.first) % 8
                                                                         : 0u);
  }
}

template <typename T>
void Columns<T>::Write(const std::vector<Values>& features, size_t rows, uint32_t* scratch, T* out, size_t column_stride,
                       size_t row_stride) const {
  for (const auto& [feature, columns] : of_feature_) {
    ranks_.Rank(feature, features[feature], rows, scratch);
    for (auto column : columns) WriteOne(columns_[column], scratch, rows, out + column * column_stride, row_stride);
  }
}

template class Columns<uint8_t>;
template class Columns<uint16_t>;

}  // namespace slipway::model
