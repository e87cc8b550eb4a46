#include "iceberg/literal.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>

#include <algorithm>
#include <cstring>

#include "base/arrow.h"
#include "base/format.h"
#include "base/ids.h"
#include "base/time.h"

namespace slipway::iceberg {
namespace {

template <typename T>
std::string Raw(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

template <typename T>
T FromRaw(std::string_view bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

}  // namespace

std::partial_ordering Compare(const Literal& a, const Literal& b) {
  if (a.index() != b.index() || IsNull(a)) return std::partial_ordering::unordered;
  if (const auto* text = std::get_if<std::string>(&a)) {
    const auto& other = std::get<std::string>(b);
    int order = std::memcmp(text->data(), other.data(), std::min(text->size(), other.size()));
    if (order != 0) return order <=> 0;
    return text->size() <=> other.size();
  }
  if (const auto* number = std::get_if<double>(&a)) return *number <=> std::get<double>(b);
  if (const auto* number = std::get_if<int64_t>(&a)) return *number <=> std::get<int64_t>(b);
  return std::get<bool>(a) <=> std::get<bool>(b);
}

std::string ShortestDecimal(std::string_view bytes) {
  auto negative = [](char byte) { return (static_cast<unsigned char>(byte) & 0x80) != 0; };
  while (bytes.size() > 1 && bytes[0] == (negative(bytes[1]) ? '\xff' : '\0')) bytes.remove_prefix(1);
  return std::string(bytes);
}

std::strong_ordering CompareDecimals(std::string_view a, std::string_view b) {
  auto left = ShortestDecimal(a), right = ShortestDecimal(b);
  auto negative = [](const std::string& number) { return !number.empty() && (number[0] & 0x80) != 0; };
  if (negative(left) != negative(right)) return negative(right) <=> negative(left);
  // Of one sign, more bytes lie further away from zero; of one length, the order of bytes is that of the numbers.
  if (left.size() != right.size()) {
    auto farther = left.size() <=> right.size();
    return negative(left) ? 0 <=> farther : farther;
  }
  return std::memcmp(left.data(), right.data(), left.size()) <=> 0;
}

std::string ToBytes(const Literal& literal, const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean: return std::string(1, std::get<bool>(literal) ? '\1' : '\0');
    case TypeId::kInt:
    case TypeId::kDate: return Raw(static_cast<int32_t>(std::get<int64_t>(literal)));
    case TypeId::kLong:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestamptz: return Raw(std::get<int64_t>(literal));
    case TypeId::kFloat: return Raw(static_cast<float>(std::get<double>(literal)));
    case TypeId::kDouble: return Raw(std::get<double>(literal));
    default: return std::get<std::string>(literal);
  }
}

Result<Literal> FromBytes(std::string_view bytes, const Type& type) {
  auto size = bytes.size();
  switch (type.id) {
    case TypeId::kBoolean:
      if (size == 1) return Literal(bytes[0] != 0);
      break;
    case TypeId::kInt:
    case TypeId::kDate:
    case TypeId::kLong:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestamptz:
      if (size == 4) return Literal(int64_t{FromRaw<int32_t>(bytes)});
      if (size == 8) return Literal(FromRaw<int64_t>(bytes));
      break;
    case TypeId::kFloat:
    case TypeId::kDouble:
      if (size == 4) return Literal(static_cast<double>(FromRaw<float>(bytes)));
      if (size == 8) return Literal(FromRaw<double>(bytes));
      break;
    default: return Literal(std::string(bytes));
  }
  return Fail(ErrorKind::kCorrupt, "a bound of {} bytes does not fit the type {}", size, ToString(type));
}

Result<Literal> LiteralAt(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return Literal{};
  switch (array.type_id()) {
    case arrow::Type::BOOL: return Literal(static_cast<const arrow::BooleanArray&>(array).Value(row));
    case arrow::Type::INT32: return Literal(int64_t{static_cast<const arrow::Int32Array&>(array).Value(row)});
    case arrow::Type::DATE32: return Literal(int64_t{static_cast<const arrow::Date32Array&>(array).Value(row)});
    case arrow::Type::INT64: return Literal(static_cast<const arrow::Int64Array&>(array).Value(row));
    case arrow::Type::TIME64: return Literal(static_cast<const arrow::Time64Array&>(array).Value(row));
    case arrow::Type::TIMESTAMP: return Literal(static_cast<const arrow::TimestampArray&>(array).Value(row));
    case arrow::Type::FLOAT:
      return Literal(static_cast<double>(static_cast<const arrow::FloatArray&>(array).Value(row)));
    case arrow::Type::DOUBLE: return Literal(static_cast<const arrow::DoubleArray&>(array).Value(row));
    case arrow::Type::STRING:
    case arrow::Type::BINARY: return Literal(std::string(static_cast<const arrow::BinaryArray&>(array).GetView(row)));
    case arrow::Type::DECIMAL128: {
      std::string bytes(static_cast<const arrow::FixedSizeBinaryArray&>(array).GetView(row));
      std::ranges::reverse(bytes);  // Arrow holds them little-endian
      return Literal(ShortestDecimal(bytes));
    }
    case arrow::Type::FIXED_SIZE_BINARY:
      return Literal(std::string(static_cast<const arrow::FixedSizeBinaryArray&>(array).GetView(row)));
    case arrow::Type::DICTIONARY: {
      const auto& encoded = static_cast<const arrow::DictionaryArray&>(array);
      return LiteralAt(*encoded.dictionary(), encoded.GetValueIndex(row));
    }
    default: return Fail(ErrorKind::kUnsupported, "values of type {} cannot be compared yet", array.type()->ToString());
  }
}

Result<arrow::Decimal128> DecimalOf(std::string_view bytes) {
  ARROW_ASSIGN(auto number, arrow::Decimal128::FromBigEndian(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                             static_cast<int32_t>(bytes.size())));
  return number;
}

std::string BytesOf(const arrow::Decimal128& number) {
  auto bytes = number.ToBytes();  // in this machine's order
  return ShortestDecimal(std::string(bytes.rbegin(), bytes.rend()));
}

Result<std::shared_ptr<arrow::Array>> Repeat(const Literal& literal, const Type& type, int64_t rows) {
  ASSIGN(auto arrow_type, ToArrow(type));
  if (IsNull(literal)) {
    ARROW_ASSIGN(auto nulls, arrow::MakeArrayOfNull(arrow_type, rows));
    return nulls;
  }
  std::shared_ptr<arrow::Scalar> scalar;
  if (const auto* number = std::get_if<int64_t>(&literal)) {
    ARROW_ASSIGN(scalar, arrow::MakeScalar(*number)->CastTo(arrow_type));
  } else if (const auto* real = std::get_if<double>(&literal)) {
    ARROW_ASSIGN(scalar, arrow::MakeScalar(*real)->CastTo(arrow_type));
  } else if (const auto* flag = std::get_if<bool>(&literal)) {
    scalar = arrow::MakeScalar(*flag);
  } else if (type.id == TypeId::kDecimal) {
    ASSIGN(auto number, DecimalOf(std::get<std::string>(literal)));
    scalar = std::make_shared<arrow::Decimal128Scalar>(number, arrow_type);
  } else {
    ARROW_ASSIGN(scalar, arrow::MakeScalar(arrow_type, arrow::Buffer::FromString(std::get<std::string>(literal))));
  }
  ARROW_ASSIGN(auto array, arrow::MakeArrayFromScalar(*scalar, rows));
  return array;
}

Result<std::shared_ptr<arrow::Array>> RepeatAsDictionary(const std::string& text, int64_t rows) {
  ASSIGN(auto dictionary, Repeat(Literal(text), Type{TypeId::kString}, 1));
  ARROW_ASSIGN(auto indices, arrow::MakeArrayFromScalar(arrow::Int8Scalar(0), rows));
  ARROW_ASSIGN(auto array, arrow::DictionaryArray::FromArrays(indices, dictionary));
  return array;
}

std::string ToString(const Literal& literal, const Type& type) {
  if (IsNull(literal)) return "null";
  if (const auto* flag = std::get_if<bool>(&literal)) return *flag ? "true" : "false";
  if (const auto* real = std::get_if<double>(&literal)) return fmt::format("{}", *real);
  if (const auto* text = std::get_if<std::string>(&literal)) {
    auto decimal = type.id == TypeId::kDecimal ? DecimalOf(*text) : Fail(ErrorKind::kInvalid, "not a decimal");
    return decimal ? decimal->ToString(type.scale) : *text;
  }
  auto number = std::get<int64_t>(literal);
  if (type.id == TypeId::kDate) return FormatDate(sys_days{std::chrono::days{number}});
  if (type.id == TypeId::kTimestamp || type.id == TypeId::kTimestamptz)
    return FormatTimestamp(Timestamp{std::chrono::microseconds{number}});
  return std::to_string(number);
}

}  // namespace slipway::iceberg
