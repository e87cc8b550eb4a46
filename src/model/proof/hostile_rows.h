#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace slipway::model {

/// What no table should have, and some do.
enum class Hostile : uint8_t { kNulls, kInfinities, kHugeNumbers, kUnknownTexts };
inline constexpr Hostile kAllHostile[] = {Hostile::kNulls, Hostile::kInfinities, Hostile::kHugeNumbers,
                                          Hostile::kUnknownTexts};

/// "nulls", "infinities", …: for a person.
std::string_view ToString(Hostile kind);

/// The columns of such rows that can hold it, by their places.
std::vector<int> ColumnsThatHold(const arrow::Schema& columns, Hostile kind);

/// Rows of `rows`, which are not none, of which each has such a value in one of the columns of `places`, and some none.
Result<std::shared_ptr<arrow::RecordBatch>> HostileRows(const arrow::RecordBatch& rows, Hostile kind,
                                                        const std::vector<int>& places);

}  // namespace slipway::model
