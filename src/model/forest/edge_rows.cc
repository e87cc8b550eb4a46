#include "model/forest/edge_rows.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <random>

#include "base/arrow.h"
#include "model/mlflow/column_type.h"

namespace slipway::model {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr size_t kLeastRows = 2000;
constexpr double kLargestFloat = std::numeric_limits<float>::max();

std::vector<double> Around(const std::vector<double>& thresholds, const Accepts& accepts) {
  std::vector<double> values{0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 5e-324, 1e-36, -1e-36, 1e30, -1e30};
  constexpr auto kFloatInfinity = std::numeric_limits<float>::infinity();
  for (double t : thresholds) {
    values.insert(values.end(), {t, std::nextafter(t, kInfinity), std::nextafter(t, -kInfinity)});
    auto single = static_cast<float>(t);
    for (float near : {single, std::nextafter(single, kFloatInfinity), std::nextafter(single, -kFloatInfinity)})
      values.push_back(near);
  }
  std::erase_if(values, [&](double value) {  // some libraries refuse what others take
    return std::fabs(value) >= kLargestFloat || value < accepts.smallest || value > accepts.largest;
  });
  if (accepts.missing) values.push_back(std::numeric_limits<double>::quiet_NaN());
  return values;
}

template <typename Builder, typename F>
Result<std::shared_ptr<arrow::Array>> Build(const std::vector<double>& values, F&& of) {
  Builder builder;
  for (double value : values) ARROW_TRY(builder.Append(of(value)));
  ARROW_ASSIGN(auto array, builder.Finish());
  return array;
}

template <typename T>
T Whole(double value) {
  constexpr auto kMost = static_cast<double>(std::numeric_limits<T>::max() / 2);
  return std::isnan(value) ? T{0} : static_cast<T>(std::clamp(std::floor(value), -kMost, kMost));
}

Result<std::shared_ptr<arrow::Array>> ColumnOf(const std::string& type, const std::vector<double>& values) {
  switch (ColumnTypeOf(type)) {
    case ColumnType::kDouble: return Build<arrow::DoubleBuilder>(values, [](double value) { return value; });
    case ColumnType::kFloat:
      return Build<arrow::FloatBuilder>(values, [](double value) { return static_cast<float>(value); });
    case ColumnType::kLong: return Build<arrow::Int64Builder>(values, Whole<int64_t>);
    case ColumnType::kInteger: return Build<arrow::Int32Builder>(values, Whole<int32_t>);
    case ColumnType::kBoolean: return Build<arrow::BooleanBuilder>(values, [](double value) { return value > 0; });
    default: return Fail(ErrorKind::kUnsupported, "no rows can be made for a feature of type " + type);
  }
}

Result<std::shared_ptr<arrow::Array>> TextOf(const Codes& codes, const Accepts& accepts, int64_t rows,
                                             std::mt19937_64& random) {
  std::vector<std::string> texts;
  if (accepts.unknown || codes.size() == 0) texts = {"never seen", ""};
  for (const auto& [text, code] : codes) texts.push_back(text);
  std::ranges::sort(texts);
  arrow::StringBuilder builder;
  for (int64_t row = 0; row < rows; ++row) {
    auto pick = random() % (texts.size() + (accepts.missing ? 1 : 0));
    ARROW_TRY(pick < texts.size() ? builder.Append(texts[pick]) : builder.AppendNull());
  }
  ARROW_ASSIGN(auto array, builder.Finish());
  return array;
}

/// Numbers that are categories: each, and some that are none. Whole numbers have no NaN: it would become a category, or
/// a value never seen.
std::vector<double> NumbersOf(const Codes& codes, const Accepts& accepts, const std::string& type) {
  std::vector<double> values;
  for (const auto& [text, code] : codes) {
    double value = text == "true" ? 1 : 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    values.push_back(value);
  }
  std::ranges::sort(values);
  auto most = values.empty() ? 0.0 : values.back();
  if (accepts.unknown) values.insert(values.end(), {most + 1, most + 1e6, -1e6});
  bool holds_nan = ColumnTypeOf(type) == ColumnType::kDouble || ColumnTypeOf(type) == ColumnType::kFloat;
  if ((accepts.missing && holds_nan) || values.empty()) values.push_back(std::numeric_limits<double>::quiet_NaN());
  return values;
}

}  // namespace

Result<std::shared_ptr<arrow::RecordBatch>> EdgeRowsOf(const Inputs& inputs,
                                                       const std::vector<std::vector<double>>& decides_by,
                                                       int64_t most) {
  std::vector<std::vector<double>> values;
  size_t rows = kLeastRows;
  for (size_t f = 0; f < inputs.size(); ++f) {
    values.push_back(inputs.codes[f] ? NumbersOf(*inputs.codes[f], inputs.accepts[f], inputs.specs[f].type)
                                     : Around(decides_by[f], inputs.accepts[f]));
    rows = std::max(rows, values.back().size());
  }
  rows = std::min(rows, static_cast<size_t>(most));
  std::mt19937_64 random(20261124);
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  for (size_t f = 0; f < inputs.size(); ++f) {
    const auto& input = inputs.specs[f];
    std::vector<double> column;
    while (column.size() < rows) {
      std::ranges::shuffle(values[f], random);
      column.insert(column.end(), values[f].begin(),
                    values[f].begin() + static_cast<std::ptrdiff_t>(std::min(values[f].size(), rows - column.size())));
    }
    std::shared_ptr<arrow::Array> array;
    if (ColumnTypeOf(input.type) == ColumnType::kString && inputs.codes[f]) {
      ASSIGN(array, TextOf(*inputs.codes[f], inputs.accepts[f], static_cast<int64_t>(rows), random));
    } else {
      ASSIGN(array, ColumnOf(input.type, column));
    }
    fields.push_back(arrow::field(input.name, array->type()));
    columns.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), static_cast<int64_t>(rows), std::move(columns));
}

}  // namespace slipway::model
