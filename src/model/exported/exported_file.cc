#include "model/exported/exported_file.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "base/arrow.h"
#include "base/file.h"
#include "base/format.h"
#include "base/json.h"
#include "model/mlflow/column_type.h"

namespace slipway::model {
namespace {

constexpr size_t kLargestFile = size_t{4} << 30;

/// Doubles come as text: Boost.JSON 1.81 does not round to the nearest.
double NumberOf(const json::value& value) {
  double number = value.is_int64() ? static_cast<double>(value.get_int64()) : 0.0;
  if (value.is_string())
    std::from_chars(value.get_string().data(), value.get_string().data() + value.get_string().size(), number);
  return number;
}

Result<std::vector<double>> NumbersOf(const JsonObject& about, std::string_view key) {
  std::vector<double> numbers;
  if (about.Find(key) == nullptr) return numbers;
  ASSIGN(const auto* array, about.Array(key));
  for (const auto& item : *array) numbers.push_back(NumberOf(item));
  return numbers;
}

template <typename Builder, typename F>
Result<std::shared_ptr<arrow::Array>> Build(const json::array& values, F&& of) {
  Builder builder;
  for (const auto& value : values) ARROW_TRY(builder.Append(of(value)));
  ARROW_ASSIGN(auto array, builder.Finish());
  return array;
}

Result<std::shared_ptr<arrow::Array>> LabelsOf(const JsonObject& labels) {
  ASSIGN(auto type, labels.String("type"));
  ASSIGN(const auto* values, labels.Array("values"));
  auto integer = [](const json::value& value) { return value.is_int64() ? value.get_int64() : int64_t{0}; };
  switch (ColumnTypeOf(type)) {
    case ColumnType::kLong: return Build<arrow::Int64Builder>(*values, integer);
    case ColumnType::kInteger:
      return Build<arrow::Int32Builder>(*values, [&](const auto& one) { return static_cast<int32_t>(integer(one)); });
    case ColumnType::kDouble: return Build<arrow::DoubleBuilder>(*values, NumberOf);
    case ColumnType::kFloat:
      return Build<arrow::FloatBuilder>(*values, [](const auto& one) { return static_cast<float>(NumberOf(one)); });
    case ColumnType::kBoolean:
      return Build<arrow::BooleanBuilder>(*values, [](const auto& one) { return one.is_bool() && one.get_bool(); });
    case ColumnType::kString:
      return Build<arrow::StringBuilder>(
          *values, [](const auto& one) { return one.is_string() ? std::string(one.get_string()) : ""; });
    default: return Fail(ErrorKind::kCorrupt, "labels of type {}", type);
  }
}

template <typename T, size_t kCount>
Result<T> NameOf(const std::pair<std::string_view, T> (&names)[kCount], const std::string& name) {
  for (const auto& [known, value] : names)
    if (known == name) return value;
  return Fail(ErrorKind::kCorrupt, "'{}' is not known", name);
}

constexpr std::pair<std::string_view, AnswerSpec::Pick> kPicks[] = {{"values", AnswerSpec::Pick::kValues},
                                                                    {"argmax", AnswerSpec::Pick::kArgmax},
                                                                    {"at_least", AnswerSpec::Pick::kAtLeast}};
constexpr std::pair<std::string_view, Link> kLinks[] = {{"identity", Link::kIdentity},
                                                        {"exp", Link::kExp},
                                                        {"sigmoid", Link::kSigmoid},
                                                        {"softmax", Link::kSoftmax},
                                                        {"normalized", Link::kNormalized}};
constexpr std::pair<std::string_view, Operation> kOperations[] = {
    {"fill", Operation::kFill},        {"is_missing", Operation::kIsMissing}, {"subtract", Operation::kSubtract},
    {"divide", Operation::kDivide},    {"multiply", Operation::kMultiply},    {"add", Operation::kAdd},
    {"at_least", Operation::kAtLeast}, {"at_most", Operation::kAtMost},       {"above", Operation::kAbove},
    {"round", Operation::kRound}};

Result<AnswerSpec> ReadAnswer(const JsonObject& about, size_t outputs) {
  AnswerSpec answer;
  ASSIGN(auto pick, about.String("pick"));
  ASSIGN(auto link, about.String("link"));
  ASSIGN(answer.pick, NameOf(kPicks, pick));
  ASSIGN(answer.link, NameOf(kLinks, link));
  ASSIGN(answer.shares, about.Bool("shares"));
  ASSIGN(answer.bias, NumbersOf(about, "bias"));
  if (const auto* divide = about.Find("divide")) answer.divide = NumberOf(*divide);
  if (const auto* scale = about.Find("scale")) answer.scale = NumberOf(*scale);
  if (const auto* any_order = about.Find("any_order")) answer.any_order = NumberOf(*any_order);
  if (const auto* at_least = about.Find("at_least")) answer.at_least = NumberOf(*at_least);
  if (about.Find("labels") != nullptr) {
    ASSIGN(auto labels, about.Object("labels"));
    ASSIGN(answer.labels, LabelsOf(labels));
  }
  using Pick = AnswerSpec::Pick;
  auto count = answer.labels == nullptr ? size_t{0} : static_cast<size_t>(answer.labels->length());
  if ((answer.pick == Pick::kValues) != (count == 0) || (answer.pick == Pick::kArgmax && count != outputs) ||
      (answer.pick == Pick::kAtLeast && (count != 2 || outputs != 1)) ||
      (answer.scale && answer.bias.size() != outputs) || (answer.link == Link::kSigmoid && outputs != 1))
    return Fail(ErrorKind::kCorrupt, "its labels, biases or link do not fit its outputs");
  if (!(answer.any_order >= 0) || !std::isfinite(answer.any_order))
    return Fail(ErrorKind::kCorrupt, "its any_order is {}", answer.any_order);
  return answer;
}

Result<InputSpec> ReadInput(const json::value& value) {
  InputSpec input;
  ASSIGN(auto object, JsonObject::From(value, "input"));
  ASSIGN(input.refuses_missing, object.Bool("refuses_missing"));
  ASSIGN(input.refuses_unknown, object.Bool("refuses_unknown"));
  ASSIGN(input.refuses_infinity, object.Bool("refuses_infinity"));
  if (object.Find("categories") == nullptr) return input;
  ASSIGN(const auto* categories, object.Array("categories"));
  ASSIGN(input.categories, JsonStrings(*categories, "categories"));
  return input;
}

Result<DerivedColumn> ReadColumn(const json::value& value) {
  DerivedColumn column;
  ASSIGN(auto object, JsonObject::From(value, "column"));
  ASSIGN(auto input, object.Int32("input"));
  if (input < 0) return Fail(ErrorKind::kCorrupt, "a column of input {}", input);
  column.input = static_cast<uint32_t>(input);
  ASSIGN(column.values, NumbersOf(object, "values"));
  if (object.Find("steps") == nullptr) return column;
  ASSIGN(const auto* steps, object.Array("steps"));
  for (const auto& item : *steps) {
    if (!item.is_array() || item.get_array().size() != 2 || !item.get_array()[0].is_string())
      return Fail(ErrorKind::kCorrupt, "a step that is not an operation and its operand");
    ASSIGN(auto operation, NameOf(kOperations, std::string(item.get_array()[0].get_string())));
    column.steps.push_back({operation, NumberOf(item.get_array()[1])});
  }
  return column;
}

/// Of a pipeline: its inputs and the columns that are made of them.
Result<> ReadPreprocessing(const JsonObject& about, ExportedFile& file) {
  if (about.Find("inputs") == nullptr) return {};
  ASSIGN(const auto* inputs, about.Array("inputs"));
  ASSIGN(const auto* columns, about.Array("columns"));
  for (const auto& item : *inputs) {
    ASSIGN(auto input, ReadInput(item));
    file.inputs.push_back(std::move(input));
  }
  for (const auto& item : *columns) {
    ASSIGN(auto column, ReadColumn(item));
    file.columns.push_back(std::move(column));
  }
  if (file.inputs.empty() || file.columns.empty()) return Fail(ErrorKind::kCorrupt, "a pipeline without columns");
  return {};
}

/// Sets of categories that go left.
Result<std::vector<std::vector<uint32_t>>> SetsOf(const JsonObject& about) {
  std::vector<std::vector<uint32_t>> sets;
  if (about.Find("category_sets") == nullptr) return sets;
  ASSIGN(const auto* array, about.Array("category_sets"));
  for (const auto& item : *array) {
    if (!item.is_array()) return Fail(ErrorKind::kCorrupt, "a set of categories that is not a list");
    auto& set = sets.emplace_back();
    for (const auto& category : item.get_array()) {
      auto value = NumberOf(category);
      if (!(value >= 0 && value <= std::numeric_limits<int32_t>::max()))
        return Fail(ErrorKind::kCorrupt, "a category that is not a number");
      set.push_back(static_cast<uint32_t>(value));
    }
  }
  return sets;
}

/// All but trees and weights.
Result<ExportedFile> ReadAbout(const JsonObject& about) {
  ExportedFile file;
  ASSIGN(auto features, about.Int32("features"));
  ASSIGN(auto outputs, about.Int32("outputs"));
  if (features < 1 || outputs < 1) return Fail(ErrorKind::kCorrupt, "{} features, {} outputs", features, outputs);
  file.ensemble.features = static_cast<uint32_t>(features);
  file.ensemble.outputs = static_cast<uint32_t>(outputs);
  ASSIGN(auto input, about.String("input", "double"));
  file.ensemble.input = input == "float" ? Precision::kFloat : Precision::kDouble;
  ASSIGN(file.ensemble.base, NumbersOf(about, "base"));
  ASSIGN(file.ensemble.category_sets, SetsOf(about));
  ASSIGN(file.refuses_nan, about.Bool("refuses_nan"));
  ASSIGN(file.refuses_infinity, about.Bool("refuses_infinity"));
  ASSIGN(file.answer, ReadAnswer(about, file.ensemble.outputs));
  TRY(ReadPreprocessing(about, file));
  return file;
}

Result<LinearSpec> ReadLinear(const JsonObject& about, const ExportedFile& file) {
  LinearSpec linear;
  linear.base = file.ensemble.base;
  ASSIGN(linear.single, about.Bool("single"));
  ASSIGN(const auto* weights, about.Array("weights"));
  for (const auto& item : *weights) {
    if (!item.is_array()) return Fail(ErrorKind::kCorrupt, "weights that are not a list");
    auto& of_output = linear.weights.emplace_back();
    for (const auto& weight : item.get_array()) of_output.push_back(NumberOf(weight));
    if (of_output.size() != file.columns.size())
      return Fail(ErrorKind::kCorrupt, "{} weights for {} columns", of_output.size(), file.columns.size());
  }
  if (linear.weights.size() != file.ensemble.outputs || linear.base.size() != file.ensemble.outputs)
    return Fail(ErrorKind::kCorrupt, "weights of {} outputs, not {}", linear.weights.size(), file.ensemble.outputs);
  return linear;
}

template <typename ArrayType>
Result<std::shared_ptr<ArrayType>> Column(const arrow::RecordBatch& nodes, const char* name) {
  auto column = std::dynamic_pointer_cast<ArrayType>(nodes.GetColumnByName(name));
  if (column == nullptr || column->null_count() > 0)
    return Fail(ErrorKind::kCorrupt, "its column '{}' is missing or of another type", name);
  return column;
}

Result<> ReadTrees(const arrow::RecordBatch& nodes, Ensemble& ensemble) {
  ASSIGN(auto tree_of, Column<arrow::Int32Array>(nodes, "tree"));
  ASSIGN(auto output, Column<arrow::Int32Array>(nodes, "output"));
  ASSIGN(auto feature, Column<arrow::Int32Array>(nodes, "feature"));
  ASSIGN(auto threshold, Column<arrow::DoubleArray>(nodes, "threshold"));
  ASSIGN(auto left, Column<arrow::Int32Array>(nodes, "left"));
  ASSIGN(auto right, Column<arrow::Int32Array>(nodes, "right"));
  ASSIGN(auto missing_left, Column<arrow::BooleanArray>(nodes, "missing_left"));
  ASSIGN(auto set, Column<arrow::Int32Array>(nodes, "set"));
  ASSIGN(auto value, Column<arrow::FixedSizeListArray>(nodes, "value"));
  ASSIGN(auto cover, Column<arrow::DoubleArray>(nodes, "cover"));
  auto values = std::dynamic_pointer_cast<arrow::DoubleArray>(value->values());
  auto width = value->value_length();
  if (values == nullptr || width < 1) return Fail(ErrorKind::kCorrupt, "its leaves are not numbers");
  for (int64_t first = 0, end = 0; first < nodes.num_rows(); first = end) {
    while (end < nodes.num_rows() && tree_of->Value(end) == tree_of->Value(first)) ++end;
    Tree tree;
    tree.output = static_cast<uint32_t>(output->Value(first));
    tree.width = static_cast<uint32_t>(width);
    // Nodes and leaves are numbered apart.
    std::vector<int32_t> number;
    int32_t inner = 0, leaves = 0;
    for (int64_t i = first; i < end; ++i) number.push_back(feature->Value(i) < 0 ? ~(leaves++) : inner++);
    auto child = [&](int32_t node) {
      return node >= 0 && static_cast<size_t>(node) < number.size() ? number[static_cast<size_t>(node)]
                                                                    : std::numeric_limits<int32_t>::max();
    };
    for (int64_t i = first; i < end; ++i) {
      if (feature->Value(i) < 0) {
        tree.covers.push_back(cover->Value(i));
        for (int32_t w = 0; w < width; ++w) tree.leaves.push_back(values->Value(value->value_offset(i) + w));
        continue;
      }
      Split split{static_cast<uint32_t>(feature->Value(i)), threshold->Value(i)};
      split.nan = missing_left->Value(i) ? Missing::kLeft : Missing::kRight;
      split.categories = set->Value(i);
      tree.nodes.push_back({split, child(left->Value(i)), child(right->Value(i))});
    }
    if (!number.empty() && number[0] != 0 && number[0] != ~0)
      return Fail(ErrorKind::kCorrupt, "a tree does not start with its root");
    ensemble.trees.push_back(std::move(tree));
  }
  return Check(ensemble);
}

/// JSON: a booster's text and its labels, or a linear model.
Result<ExportedFile> ReadText(const std::string& text) {
  ASSIGN(auto value, ParseJson(text));
  ASSIGN(auto object, JsonObject::From(value, "exported model"));
  if (object.Find("weights") != nullptr) {
    ASSIGN(auto file, ReadAbout(object));
    ASSIGN(file.linear, ReadLinear(object, file));
    return file;
  }
  ExportedFile file;
  ASSIGN(file.lightgbm, object.String("lightgbm", ""));
  ASSIGN(file.xgboost, object.String("xgboost", ""));
  ASSIGN(file.model_class, object.String("model_class", ""));
  if (file.lightgbm.empty() == file.xgboost.empty())
    return Fail(ErrorKind::kCorrupt, "neither LightGBM's nor XGBoost's text, or both");
  if (object.Find("labels") != nullptr) {
    ASSIGN(auto labels, object.Object("labels"));
    ASSIGN(file.answer.labels, LabelsOf(labels));
  }
  TRY(ReadPreprocessing(object, file));
  return file;
}

}  // namespace

Result<ExportedFile> ParseExportedFile(std::string bytes) {
  if (bytes.starts_with('{')) return ReadText(bytes);
  ARROW_ASSIGN(auto reader, arrow::ipc::RecordBatchFileReader::Open(std::make_shared<arrow::io::BufferReader>(
                                arrow::Buffer::FromString(std::move(bytes)))));
  auto metadata = reader->schema()->metadata();
  if (metadata == nullptr || !metadata->Contains("slipway"))
    return Fail(ErrorKind::kCorrupt, "it was not exported for Slipway");
  ARROW_ASSIGN(auto text, metadata->Get("slipway"));
  ASSIGN(auto value, ParseJson(text));
  ASSIGN(auto about, JsonObject::From(value, "exported model"));
  ASSIGN(auto file, ReadAbout(about));
  ARROW_ASSIGN(auto table, reader->ToTable());
  ARROW_TRY(table->ValidateFull());
  ARROW_ASSIGN(auto nodes, table->CombineChunksToBatch());
  TRY(ReadTrees(*nodes, file.ensemble));
  return file;
}

Result<ExportedFile> ReadExportedFile(const std::filesystem::path& path) {
  ASSIGN(auto bytes, ReadFile(path, kLargestFile));
  auto file = Wrap(ParseExportedFile(std::move(bytes)), path.string());
  if (!file && file.error().kind != ErrorKind::kUnsupported) file.error().kind = ErrorKind::kCorrupt;
  return file;
}

}  // namespace slipway::model
