#include "iceberg/mask.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>

#include <algorithm>

#include "base/arrow.h"
#include "base/format.h"

namespace slipway::iceberg {
namespace {

using Op = Predicate::Op;
using Bits = std::vector<uint8_t>;  // one for each row

/// What the bytes of a decimal do not tell: they are the same where the numbers are, but are not in their order.
bool AsksForOrder(Op op) {
  return op == Op::kLess || op == Op::kLessEqual || op == Op::kGreater || op == Op::kGreaterEqual;
}

class Masker {
 public:
  Masker(const arrow::RecordBatch& batch, const std::vector<Field>& fields)
      : batch_(batch), fields_(fields), rows_(static_cast<size_t>(batch.num_rows())) {}

  Result<Bits> Of(const Predicate& predicate) const {
    switch (predicate.op) {
      case Op::kAlways: return Bits(rows_, 1);
      case Op::kNever: return Bits(rows_, 0);
      case Op::kAnd:
      case Op::kOr: return Joined(predicate);
      default: return Compared(predicate);
    }
  }

 private:
  Result<Bits> Joined(const Predicate& predicate) const {
    const bool all = predicate.op == Op::kAnd;
    Bits bits(rows_, all ? 1 : 0);
    for (const auto& child : predicate.children) {
      ASSIGN(auto of_child, Of(child));
      for (size_t row = 0; row < rows_; ++row) bits[row] = all ? bits[row] & of_child[row] : bits[row] | of_child[row];
    }
    return bits;
  }

  Result<Bits> Compared(const Predicate& predicate) const {
    auto field = std::ranges::find(fields_, predicate.field_id, &Field::id);
    if (field == fields_.end()) return Bits(rows_, MatchesValue(predicate, Literal{}) ? 1 : 0);
    const auto& column = *batch_.column(static_cast<int>(field - fields_.begin()));
    if (column.type_id() == arrow::Type::DECIMAL128 && AsksForOrder(predicate.op))
      return Fail(ErrorKind::kUnsupported, "the decimals of '{}' cannot be put in order yet", field->name);
    Bits bits(rows_);
    const bool only_nulls = predicate.op == Op::kIsNull || predicate.op == Op::kNotNull;
    for (size_t row = 0; row < rows_; ++row) {
      const auto at = static_cast<int64_t>(row);
      if (only_nulls) {
        bits[row] = column.IsNull(at) == (predicate.op == Op::kIsNull) ? 1 : 0;
        continue;
      }
      ASSIGN(auto value, LiteralAt(column, at));
      bits[row] = MatchesValue(predicate, value) ? 1 : 0;
    }
    return bits;
  }

  const arrow::RecordBatch& batch_;
  const std::vector<Field>& fields_;
  size_t rows_;
};

Result<std::shared_ptr<arrow::BooleanArray>> ToArray(const Bits& bits) {
  arrow::BooleanBuilder builder;
  ARROW_TRY(builder.AppendValues(bits.data(), static_cast<int64_t>(bits.size())));
  ARROW_ASSIGN(auto array, builder.Finish());
  return std::static_pointer_cast<arrow::BooleanArray>(array);
}

}  // namespace

Result<std::shared_ptr<arrow::BooleanArray>> Mask(const Predicate& predicate, const arrow::RecordBatch& batch,
                                                  const std::vector<Field>& fields) {
  ASSIGN(auto bits, Masker(batch, fields).Of(predicate));
  return ToArray(bits);
}

Result<std::shared_ptr<arrow::RecordBatch>> Take(Rows which, const Predicate& predicate,
                                                 const std::shared_ptr<arrow::RecordBatch>& batch,
                                                 const std::vector<Field>& fields) {
  ASSIGN(auto bits, Masker(*batch, fields).Of(predicate));
  if (which == Rows::kOthers)
    for (auto& bit : bits) bit ^= 1;
  if (std::ranges::find(bits, 0) == bits.end()) return batch;
  ASSIGN(auto mask, ToArray(bits));
  ARROW_ASSIGN(auto taken, arrow::compute::Filter(arrow::Datum(batch), arrow::Datum(mask)));
  return taken.record_batch();
}

}  // namespace slipway::iceberg
