#include "iceberg/data_file_writer.h"

#include <arrow/array.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <parquet/arrow/writer.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>
#include <parquet/statistics.h>

#include <cmath>

#include "base/arrow.h"
#include "base/file_io.h"
#include "base/format.h"

namespace slipway::iceberg {
namespace {

constexpr size_t kBoundCharacters = 16;  // write.metadata.metrics.default: truncate(16)
/// A text that all rows of a file have (whose run they are, which deployment's) stays whole up to here: only then do
/// the bounds tell that all rows have it.
constexpr size_t kWholeCharacters = 1024;

template <typename ArrayType>
int64_t CountNaN(const arrow::Array& array) {
  const auto& typed = static_cast<const ArrayType&>(array);
  int64_t count = 0;
  for (int64_t i = 0; i < typed.length(); ++i) count += typed.IsValid(i) && std::isnan(typed.Value(i));
  return count;
}

/// Where the first `characters` code points end.
size_t CutAt(const std::string& text, size_t characters, bool utf8) {
  if (!utf8) return std::min(text.size(), characters);
  size_t at = 0;
  for (; at < text.size(); ++at)
    if ((static_cast<uint8_t>(text[at]) & 0xc0) != 0x80 && characters-- == 0) break;
  return at;
}

/// An upper bound of at most 16 characters: cut, then the last character whose final byte can
/// grow within its character grows, and those behind it go.
std::optional<std::string> UpperBound(const std::string& text, bool utf8) {
  auto cut = CutAt(text, kBoundCharacters, utf8);
  if (cut == text.size()) return text;
  auto bound = text.substr(0, cut);
  while (!bound.empty()) {
    auto last = static_cast<uint8_t>(bound.back());
    if (!utf8 ? last < 0xff : (last < 0x7f || (last >= 0x80 && last < 0xbf))) {
      bound.back() = static_cast<char>(last + 1);
      return bound;
    }
    while (utf8 && (static_cast<uint8_t>(bound.back()) & 0xc0) == 0x80) bound.pop_back();
    bound.pop_back();
  }
  return std::nullopt;
}

class Writer final : public DataFileWriter {
 public:
  Writer(FileIo& io, std::string location, std::vector<Field> fields)
      : io_(io), path_(std::move(location)), fields_(std::move(fields)) {
    file_.file_path = path_;
  }

  Result<> Start() {
    ASSIGN(schema_, ToArrow(fields_));
    ASSIGN(output_, io_.OpenOutput(path_));
    return {};
  }

  Result<> Write(const arrow::RecordBatch& batch) override {
    if (writer_ == nullptr) TRY(OpenParquet(&batch));
    for (size_t i = 0; i < fields_.size(); ++i) {
      const auto& column = *batch.column(static_cast<int>(i));
      if (fields_[i].required && column.null_count() > 0)
        return Fail(ErrorKind::kInvalid, "column '{}' is required, but a row has none", fields_[i].name);
      if (fields_[i].type.id == TypeId::kFloat)
        file_.nan_value_counts[fields_[i].id] += CountNaN<arrow::FloatArray>(column);
      if (fields_[i].type.id == TypeId::kDouble)
        file_.nan_value_counts[fields_[i].id] += CountNaN<arrow::DoubleArray>(column);
    }
    auto rows = arrow::RecordBatch::Make(schema_, batch.num_rows(), batch.columns());
    if (auto status = writer_->WriteRecordBatch(*rows); !status.ok()) return Named(status);
    file_.record_count += batch.num_rows();
    return {};
  }

  int64_t bytes() const override { return output_->Tell().ValueOr(0); }

  Result<DataFile> Finish() override {
    if (writer_ == nullptr) TRY(OpenParquet(nullptr));
    if (auto status = writer_->Close(); !status.ok()) return Named(status);
    ASSIGN(file_.file_size_in_bytes, Named(output_->Tell()));
    if (auto status = output_->Close(); !status.ok()) return Named(status);
    TRY(io_.Sync(path_));
    for (int group = 0; group < writer_->metadata()->num_row_groups(); ++group)
      TRY(AddStatistics(*writer_->metadata()->RowGroup(group)));
    TRY(SetBounds());
    return std::move(file_);
  }

 private:
  /// Columns that come as dictionaries (all batches alike) are written from them; the file is the same.
  Result<> OpenParquet(const arrow::RecordBatch* like) {
    parquet::WriterProperties::Builder properties;
    properties.compression(parquet::Compression::ZSTD)
        ->compression_level(1)
        ->version(parquet::ParquetVersion::PARQUET_2_6);
    for (size_t i = 0; i < fields_.size(); ++i) {
      const auto& field = fields_[i];
      auto column = static_cast<int>(i);
      if (like != nullptr && like->column(column)->type_id() == arrow::Type::DICTIONARY) {
        ARROW_ASSIGN(schema_,
                     schema_->SetField(column, schema_->field(column)->WithType(like->column(column)->type())));
      }
      if (field.type.id != TypeId::kFloat && field.type.id != TypeId::kDouble) continue;
      file_.nan_value_counts[field.id] = 0;
      properties.disable_dictionary(field.name);  // scores hardly repeat: looking each up is wasted
    }
    ASSIGN(writer_, Named(parquet::arrow::FileWriter::Open(*schema_, arrow::default_memory_pool(), output_,
                                                           properties.build())));
    return {};
  }

  template <typename T>
  Result<T> Named(arrow::Result<T> result) {
    if (!result.ok()) return Named(result.status());
    return std::move(*result);
  }
  Failure Named(const arrow::Status& status) { return Failure(FromArrow(status).Wrap("write " + path_)); }

  Result<> AddStatistics(const parquet::RowGroupMetaData& group) {
    file_.split_offsets.push_back(group.file_offset() > 0 ? group.file_offset() : 4);
    for (int i = 0; i < group.num_columns(); ++i) {
      const auto& field = fields_[static_cast<size_t>(i)];  // a list has one column too: its elements'
      auto chunk = group.ColumnChunk(i);
      if (field.type.id == TypeId::kList) {
        file_.column_sizes[field.type.element_id] += chunk->total_compressed_size();
        continue;
      }
      file_.column_sizes[field.id] += chunk->total_compressed_size();
      file_.value_counts[field.id] += chunk->num_values();
      auto statistics = chunk->statistics();
      if (statistics == nullptr) continue;
      if (statistics->HasNullCount()) file_.null_value_counts[field.id] += statistics->null_count();
      if (!statistics->HasMinMax() || field.type.id == TypeId::kDecimal) continue;
      ASSIGN(auto low, FromBytes(statistics->EncodeMin(), field.type));
      ASSIGN(auto high, FromBytes(statistics->EncodeMax(), field.type));
      auto& bounds = bounds_[field.id];
      if (IsNull(bounds.first) || Compare(low, bounds.first) < 0) bounds.first = low;
      if (IsNull(bounds.second) || Compare(high, bounds.second) > 0) bounds.second = high;
    }
    return {};
  }

  Result<> SetBounds() {
    for (const auto& field : fields_) {
      auto found = bounds_.find(field.id);
      if (found == bounds_.end()) continue;
      auto lower = ToBytes(found->second.first, field.type);
      std::optional<std::string> upper = ToBytes(found->second.second, field.type);
      bool utf8 = field.type.id == TypeId::kString;
      if (utf8 || field.type.id == TypeId::kBinary) {
        if (lower == *upper && CutAt(lower, kWholeCharacters, utf8) == lower.size()) {
          file_.lower_bounds[field.id] = lower;
          file_.upper_bounds[field.id] = lower;
          continue;
        }
        lower.resize(CutAt(lower, kBoundCharacters, utf8));
        upper = UpperBound(*upper, utf8);
      }
      file_.lower_bounds[field.id] = lower;
      if (upper) file_.upper_bounds[field.id] = *upper;
    }
    return {};
  }

  FileIo& io_;
  std::string path_;
  std::vector<Field> fields_;
  std::shared_ptr<arrow::Schema> schema_;
  std::shared_ptr<arrow::io::OutputStream> output_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  std::map<int, std::pair<Literal, Literal>> bounds_;
  DataFile file_;
};

}  // namespace

Result<std::unique_ptr<DataFileWriter>> DataFileWriter::Open(FileIo& io, const std::string& location,
                                                             std::vector<Field> fields) {
  auto writer = std::make_unique<Writer>(io, location, std::move(fields));
  TRY(writer->Start());
  return writer;
}

}  // namespace slipway::iceberg
