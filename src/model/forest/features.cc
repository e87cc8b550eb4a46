#include "model/forest/features.h"

#include <arrow/array.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace slipway::model {
namespace {

/// Converts each value with `of`; nulls become NaN.
template <typename ArrayType, typename T, typename F>
void Fill(const ArrayType& array, int64_t first, int64_t rows, std::vector<T>& out, F&& of) {
  out.resize(static_cast<size_t>(rows));
  const bool nulls = array.null_count() > 0;
  for (int64_t i = 0; i < rows; ++i)
    out[static_cast<size_t>(i)] =
        nulls && array.IsNull(first + i) ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(of(array, first + i));
}

/// Calls `f` with the array as what it is; false where no feature can be that.
template <typename F>
bool Visit(const arrow::Array& array, F&& f) {
  using arrow::Type;
  switch (array.type_id()) {
    case Type::DOUBLE: return f(static_cast<const arrow::DoubleArray&>(array)), true;
    case Type::FLOAT: return f(static_cast<const arrow::FloatArray&>(array)), true;
    case Type::INT64: return f(static_cast<const arrow::Int64Array&>(array)), true;
    case Type::INT32: return f(static_cast<const arrow::Int32Array&>(array)), true;
    case Type::INT16: return f(static_cast<const arrow::Int16Array&>(array)), true;
    case Type::INT8: return f(static_cast<const arrow::Int8Array&>(array)), true;
    case Type::UINT64: return f(static_cast<const arrow::UInt64Array&>(array)), true;
    case Type::UINT32: return f(static_cast<const arrow::UInt32Array&>(array)), true;
    case Type::UINT16: return f(static_cast<const arrow::UInt16Array&>(array)), true;
    case Type::UINT8: return f(static_cast<const arrow::UInt8Array&>(array)), true;
    case Type::BOOL: return f(static_cast<const arrow::BooleanArray&>(array)), true;
    case Type::STRING: return f(static_cast<const arrow::StringArray&>(array)), true;
    default: return false;
  }
}

template <typename ArrayType>
constexpr bool kIsText = std::is_same_v<ArrayType, arrow::StringArray>;

template <typename ArrayType>
double CodeOf(const Codes& codes, const ArrayType& array, int64_t i) {
  auto look = [&](std::string_view text) {
    auto found = codes.find(text);
    return found == codes.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
  };
  if constexpr (kIsText<ArrayType>)
    return look(array.GetView(i));
  else if constexpr (std::is_same_v<ArrayType, arrow::BooleanArray>)
    return look(array.Value(i) ? "true" : "false");
  else
    return look(fmt::to_string(array.Value(i)));
}

template <typename ArrayType>
constexpr bool kFitsFloat = std::is_same_v<ArrayType, arrow::FloatArray> || std::is_same_v<ArrayType, arrow::Int16Array> ||
                            std::is_same_v<ArrayType, arrow::Int8Array> || std::is_same_v<ArrayType, arrow::UInt16Array> ||
                            std::is_same_v<ArrayType, arrow::UInt8Array> || std::is_same_v<ArrayType, arrow::BooleanArray>;

}  // namespace

bool FeatureReader::Reads(const arrow::DataType& type) {
  using arrow::Type;
  switch (type.id()) {
    case Type::DICTIONARY: return Reads(*static_cast<const arrow::DictionaryType&>(type).value_type());
    case Type::DOUBLE:
    case Type::FLOAT:
    case Type::BOOL:
    case Type::STRING: return true;
    default: return arrow::is_integer(type.id());
  }
}

Values FeatureReader::Read(const arrow::Array& column, int64_t first, int64_t rows, Scratch& scratch) const {
  Values values;
  if (column.type_id() == arrow::Type::DICTIONARY) {
    // Each entry of the dictionary is converted once.
    const auto& encoded = static_cast<const arrow::DictionaryArray&>(column);
    Scratch of_entries;
    auto entries = Read(*encoded.dictionary(), 0, encoded.dictionary()->length(), of_entries);
    auto pick = [&](const auto* source, auto& out) {
      Fill(encoded, first, rows, out, [&](const auto& array, int64_t i) { return source[array.GetValueIndex(i)]; });
      return out.data();
    };
    if (entries.floats != nullptr)
      values.floats = pick(entries.floats, scratch.floats);
    else
      values.doubles = pick(entries.doubles, scratch.doubles);
    return values;
  }
  Visit(column, [&]<typename ArrayType>(const ArrayType& array) {
    if constexpr (std::is_same_v<ArrayType, arrow::FloatArray>) {
      if (!codes_ && array.null_count() == 0) return void(values.floats = array.raw_values() + first);
    }
    if constexpr (std::is_same_v<ArrayType, arrow::DoubleArray>) {
      if (!codes_ && array.null_count() == 0 && input_ == Precision::kDouble) return void(values.doubles = array.raw_values() + first);
    }
    if (codes_) {
      auto code = [&](const ArrayType& typed, int64_t i) { return CodeOf(*codes_, typed, i); };
      Fill(array, first, rows, scratch.doubles, code);
      values.doubles = scratch.doubles.data();
    } else if constexpr (!kIsText<ArrayType>) {
      auto number = [](const ArrayType& typed, int64_t i) { return typed.Value(i); };
      if (kFitsFloat<ArrayType> || input_ == Precision::kFloat) {
        Fill(array, first, rows, scratch.floats, number);
        values.floats = scratch.floats.data();
      } else {
        Fill(array, first, rows, scratch.doubles, number);
        values.doubles = scratch.doubles.data();
      }
    }
  });
  return values;
}

}  // namespace slipway::model
