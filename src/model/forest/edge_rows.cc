#include "model/forest/edge_rows.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "base/arrow.h"

namespace slipway::model {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLargestFloat = std::numeric_limits<float>::max();

std::vector<double> Around(const std::vector<double>& thresholds, const ForestModelParts& parts) {
  std::vector<double> values{0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, 5e-324, 1e-36, -1e-36, 1e30, -1e30};
  constexpr auto kFloatInfinity = std::numeric_limits<float>::infinity();
  for (double t : thresholds) {
    values.insert(values.end(), {t, std::nextafter(t, kInfinity), std::nextafter(t, -kInfinity)});
    auto single = static_cast<float>(t);
    for (float near : {single, std::nextafter(single, kFloatInfinity), std::nextafter(single, -kFloatInfinity)}) values.push_back(near);
  }
  std::erase_if(values, [](double value) { return std::fabs(value) >= kLargestFloat; });  // some libraries refuse what others take
  if (!parts.refuses_nan) values.push_back(std::numeric_limits<double>::quiet_NaN());
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
  if (type == "double") return Build<arrow::DoubleBuilder>(values, [](double value) { return value; });
  if (type == "float") return Build<arrow::FloatBuilder>(values, [](double value) { return static_cast<float>(value); });
  if (type == "long") return Build<arrow::Int64Builder>(values, Whole<int64_t>);
  if (type == "integer") return Build<arrow::Int32Builder>(values, Whole<int32_t>);
  if (type == "boolean") return Build<arrow::BooleanBuilder>(values, [](double value) { return value > 0; });
  return Fail(ErrorKind::kUnsupported, "no rows can be made for a feature of type " + type);
}

Result<std::shared_ptr<arrow::Array>> TextOf(const Codes& codes, int64_t rows, std::mt19937_64& random) {
  std::vector<std::string> texts{"never seen", ""};
  for (const auto& [text, code] : codes) texts.push_back(text);
  std::ranges::sort(texts);
  arrow::StringBuilder builder;
  for (int64_t row = 0; row < rows; ++row) ARROW_TRY(builder.Append(texts[random() % texts.size()]));
  ARROW_ASSIGN(auto array, builder.Finish());
  return array;
}

}  // namespace

Result<std::shared_ptr<arrow::RecordBatch>> EdgeRowsOf(const Forest& forest, const ForestModelParts& parts,
                                                       const std::vector<FeatureReader>& readers, int64_t most) {
  std::vector<std::vector<double>> values;
  size_t rows = 0;
  for (uint32_t f = 0; f < readers.size(); ++f) {
    values.push_back(Around(forest.DecidesBy(f), parts));
    rows = std::max(rows, values.back().size());
  }
  rows = std::min(rows, static_cast<size_t>(most));
  std::mt19937_64 random(20261124);
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  for (size_t f = 0; f < readers.size(); ++f) {
    const auto& input = parts.inputs[f];
    std::vector<double> column;
    while (column.size() < rows) {
      std::ranges::shuffle(values[f], random);
      column.insert(column.end(), values[f].begin(),
                    values[f].begin() + static_cast<std::ptrdiff_t>(std::min(values[f].size(), rows - column.size())));
    }
    std::shared_ptr<arrow::Array> array;
    if (input.type == "string" && readers[f].codes() != nullptr) {
      ASSIGN(array, TextOf(*readers[f].codes(), static_cast<int64_t>(rows), random));
    } else {
      ASSIGN(array, ColumnOf(input.type, column));
    }
    fields.push_back(arrow::field(input.name, array->type()));
    columns.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), static_cast<int64_t>(rows), std::move(columns));
}

}  // namespace slipway::model
