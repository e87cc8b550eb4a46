#include "model/forest/features.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <cmath>
#include <limits>
#include <utility>

#include "base/format.h"

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
  if constexpr (kIsText<ArrayType>)
    return codes.OfText(array.GetView(i));
  else if constexpr (std::is_same_v<ArrayType, arrow::BooleanArray>)
    return codes.OfText(array.Value(i) ? "true" : "false");
  else if constexpr (std::is_floating_point_v<typename ArrayType::value_type>)
    return codes.OfNumber(static_cast<double>(array.Value(i)));
  else if (std::in_range<int64_t>(array.Value(i)))
    return codes.OfNumber(static_cast<int64_t>(array.Value(i)));
  else
    return codes.OfText(fmt::to_string(array.Value(i)));
}

template <typename ArrayType>
constexpr bool kFitsFloat =
    std::is_same_v<ArrayType, arrow::FloatArray> || std::is_same_v<ArrayType, arrow::Int16Array> ||
    std::is_same_v<ArrayType, arrow::Int8Array> || std::is_same_v<ArrayType, arrow::UInt16Array> ||
    std::is_same_v<ArrayType, arrow::UInt8Array> || std::is_same_v<ArrayType, arrow::BooleanArray>;

/// Whether such a column can be read.
bool Reads(const arrow::DataType& type) {
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

Values ReadOne(const arrow::Array& column, int64_t first, int64_t rows, Precision input, const Codes* codes,
               Inputs::Scratch& scratch) {
  Values values;
  if (column.type_id() == arrow::Type::DICTIONARY) {
    // Each entry of the dictionary is converted once.
    const auto& encoded = static_cast<const arrow::DictionaryArray&>(column);
    Inputs::Scratch of_entries;
    auto entries = ReadOne(*encoded.dictionary(), 0, encoded.dictionary()->length(), input, codes, of_entries);
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
      if (codes == nullptr && array.null_count() == 0) return void(values.floats = array.raw_values() + first);
    }
    if constexpr (std::is_same_v<ArrayType, arrow::DoubleArray>) {
      if (codes == nullptr && array.null_count() == 0 && input == Precision::kDouble)
        return void(values.doubles = array.raw_values() + first);
    }
    if (codes != nullptr) {
      auto code = [&](const ArrayType& typed, int64_t i) { return CodeOf(*codes, typed, i); };
      Fill(array, first, rows, scratch.doubles, code);
      values.doubles = scratch.doubles.data();
    } else if constexpr (!kIsText<ArrayType>) {
      auto number = [](const ArrayType& typed, int64_t i) { return typed.Value(i); };
      if (kFitsFloat<ArrayType> || input == Precision::kFloat) {
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

}  // namespace

Result<arrow::ArrayVector> Inputs::ColumnsOf(const arrow::RecordBatch& batch) const {
  arrow::ArrayVector columns;
  for (size_t f = 0; f < size(); ++f) {
    auto column = batch.GetColumnByName(specs[f].name);
    if (column == nullptr) return Fail(ErrorKind::kInternal, "the rows lack the feature '{}'", specs[f].name);
    const auto* encoded = column->type_id() == arrow::Type::DICTIONARY
                              ? static_cast<const arrow::DictionaryType*>(column->type().get())
                              : nullptr;
    bool text = (encoded != nullptr ? encoded->value_type()->id() : column->type_id()) == arrow::Type::STRING;
    if (!Reads(*column->type()) || (text && !codes[f]))
      return Fail(ErrorKind::kInvalid, "the feature '{}' cannot be {}", specs[f].name, column->type()->ToString());
    columns.push_back(std::move(column));
  }
  return columns;
}

Result<> Inputs::Read(const arrow::ArrayVector& columns, int64_t first, int64_t rows, Precision input,
                      std::vector<Scratch>& scratch, std::vector<Values>& values) const {
  scratch.resize(size());
  values.resize(size());
  for (size_t f = 0; f < size(); ++f) {
    values[f] = ReadOne(*columns[f], first, rows, input, codes[f] ? &*codes[f] : nullptr, scratch[f]);
    TRY(Check(f, values[f], static_cast<size_t>(rows)));
  }
  return {};
}

Result<> Inputs::Check(size_t feature, const Values& values, size_t rows) const {
  const auto& may = accepts[feature];
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (may.missing && may.unknown && may.smallest == -kInfinity && may.largest == kInfinity) return {};
  const double other =
      !may.unknown && codes[feature] ? codes[feature]->other : std::numeric_limits<double>::quiet_NaN();
  bool nan = false, outside = false, unknown = false;
  auto look = [&](const auto* of) {
    for (size_t row = 0; row < rows; ++row) {
      auto value = static_cast<double>(of[row]);
      nan |= std::isnan(value);
      outside |= value < may.smallest || value > may.largest;
      unknown |= value == other;
    }
  };
  values.floats != nullptr ? look(values.floats) : look(values.doubles);
  const auto& name = specs[feature].name;
  if (nan && !may.missing)
    return Fail(ErrorKind::kInvalid, "the model takes no missing values, but '{}' has some", name);
  if (outside)
    return Fail(ErrorKind::kInvalid, "the model takes no infinite values, or too large for float32, but '{}' has some",
                name);
  if (unknown)
    return Fail(ErrorKind::kInvalid, "the model takes no values that it was not trained on, but '{}' has some", name);
  return {};
}

}  // namespace slipway::model
