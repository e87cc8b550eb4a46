#pragma once

#include <arrow/type_fwd.h>

#include <compare>
#include <cstdint>
#include <string>
#include <variant>

#include "iceberg/schema.h"

namespace slipway::iceberg {

/// One value of a column, or null (monostate): boolean; int, long, date, time and timestamps as their number (days,
/// microseconds); float and double; string, binary, fixed and uuid as bytes; decimal as its big-endian unscaled bytes.
using Literal = std::variant<std::monostate, bool, int64_t, double, std::string>;

inline bool IsNull(const Literal& literal) { return literal.index() == 0; }

/// The order of two values of one type; bytes are unsigned. Unordered when one is NaN, a null, or the kinds differ.
std::partial_ordering Compare(const Literal& a, const Literal& b);

/// The order of two decimals of one scale: big-endian two's complement of any length, where Compare sees bytes.
std::strong_ordering CompareDecimals(std::string_view a, std::string_view b);

/// A decimal in as few bytes as hold it (spec, Appendix D); the empty text is none.
std::string ShortestDecimal(std::string_view bytes);

/// Single-value serialization (spec, Appendix D), as bounds in manifests hold it. `literal` must not be null.
std::string ToBytes(const Literal& literal, const Type& type);

/// The inverse. kCorrupt when the length does not fit the type. A value written before a promotion (int to long, float
/// to double) is accepted in its old length.
Result<Literal> FromBytes(std::string_view bytes, const Type& type);

/// The number of a decimal's big-endian bytes, at most 16 of them, and the fewest bytes of a number.
Result<arrow::Decimal128> DecimalOf(std::string_view bytes);
std::string BytesOf(const arrow::Decimal128& number);

/// The value at `row` of a column read by Slipway; a decimal in its fewest bytes. kUnsupported: a nested column.
Result<Literal> LiteralAt(const arrow::Array& array, int64_t row);

/// A one-valued Arrow array of `rows` rows.
Result<std::shared_ptr<arrow::Array>> Repeat(const Literal& literal, const Type& type, int64_t rows);
/// The same of a string, as a dictionary of one value: 4 bytes a row, and quick to write.
Result<std::shared_ptr<arrow::Array>> RepeatAsDictionary(const std::string& text, int64_t rows);

/// For messages and partition paths: 2024-01-31 for a date, null as "null".
std::string ToString(const Literal& literal, const Type& type);

}  // namespace slipway::iceberg
