#include "model/proof/hostile_rows.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>

#include <algorithm>
#include <limits>

#include "base/arrow.h"

namespace slipway::model {
namespace {

using Scalars = std::vector<std::shared_ptr<arrow::Scalar>>;

template <typename T>
Scalars Numbers(Hostile kind) {
  using Limits = std::numeric_limits<T>;
  // Doubles beyond float32; not so large that a scaler's arithmetic has no answer.
  constexpr auto kMost = Limits::is_integer ? Limits::max() : static_cast<T>(sizeof(T) == 4 ? 1e30 : 1e39);
  constexpr auto kLeast = Limits::is_integer ? Limits::lowest() : -kMost;
  if (kind == Hostile::kHugeNumbers) return {arrow::MakeScalar(kMost), arrow::MakeScalar(kLeast)};
  if constexpr (Limits::has_infinity)
    if (kind == Hostile::kInfinities)
      return {arrow::MakeScalar(Limits::infinity()), arrow::MakeScalar(-Limits::infinity())};
  return {};
}

/// The values of that kind that a column of the type can hold.
Scalars ValuesOf(const std::shared_ptr<arrow::DataType>& type, Hostile kind) {
  if (kind == Hostile::kNulls) return {arrow::MakeNullScalar(type)};
  switch (type->id()) {
    case arrow::Type::DOUBLE: return Numbers<double>(kind);
    case arrow::Type::FLOAT: return Numbers<float>(kind);
    case arrow::Type::INT64: return Numbers<int64_t>(kind);
    case arrow::Type::INT32: return Numbers<int32_t>(kind);
    case arrow::Type::STRING:
      if (kind == Hostile::kUnknownTexts) return {arrow::MakeScalar(""), arrow::MakeScalar("a text never seen")};
      return {};
    default: return {};
  }
}

}  // namespace

std::string_view ToString(Hostile kind) {
  switch (kind) {
    case Hostile::kNulls: return "nulls";
    case Hostile::kInfinities: return "infinities";
    case Hostile::kHugeNumbers: return "huge numbers";
    case Hostile::kUnknownTexts: return "texts never seen";
  }
  return "";
}

std::vector<int> ColumnsThatHold(const arrow::Schema& columns, Hostile kind) {
  std::vector<int> places;
  for (int at = 0; at < columns.num_fields(); ++at)
    if (!ValuesOf(columns.field(at)->type(), kind).empty()) places.push_back(at);
  return places;
}

Result<std::shared_ptr<arrow::RecordBatch>> HostileRows(const arrow::RecordBatch& rows, Hostile kind,
                                                        const std::vector<int>& places) {
  // Each place in turn has each of its values, then comes a row as it was.
  std::vector<std::pair<int, std::shared_ptr<arrow::Scalar>>> strange;
  for (int place : places)
    for (auto& value : ValuesOf(rows.column(place)->type(), kind)) strange.emplace_back(place, std::move(value));
  strange.emplace_back(-1, nullptr);
  arrow::ArrayVector columns;
  for (int at = 0; at < rows.num_columns(); ++at) {
    ARROW_ASSIGN(auto builder, arrow::MakeBuilder(rows.column(at)->type()));
    for (size_t row = 0; row < strange.size(); ++row) {
      const auto& [place, value] = strange[row];
      if (place == at)
        ARROW_TRY(builder->AppendScalar(*value));
      else
        ARROW_TRY(builder->AppendArraySlice(arrow::ArraySpan(*rows.column(at)->data()),
                                            static_cast<int64_t>(row) % rows.num_rows(), 1));
    }
    ARROW_ASSIGN(auto column, builder->Finish());
    columns.push_back(std::move(column));
  }
  return arrow::RecordBatch::Make(rows.schema(), static_cast<int64_t>(strange.size()), std::move(columns));
}

}  // namespace slipway::model
