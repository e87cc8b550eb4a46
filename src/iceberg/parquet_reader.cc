#include "iceberg/parquet_reader.h"

#include <arrow/array.h>
#include <arrow/compute/cast.h>
#include <arrow/io/interfaces.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>

#include <cstring>
#include <string_view>

#include "base/arrow.h"
#include "base/file_io.h"
#include "base/format.h"
#include "iceberg/limits.h"

namespace slipway::iceberg {
namespace {

constexpr int64_t kBufferBytes = 64 * 1024;  // of a column of a local file
constexpr std::string_view kMagic = "PAR1";

/// All that decoding holds, of every open file: a page that claims gigabytes is refused, not made room for.
arrow::MemoryPool* Pool() {
  static arrow::CappedMemoryPool pool(arrow::default_memory_pool(), kMostDecodingBytes);
  return &pool;
}

/// What the footer says of itself, before it is read (Parquet, "File Format").
Result<> CheckFooter(const std::string& path, arrow::io::RandomAccessFile& input) {
  constexpr int64_t kTail = 8;
  auto size = input.GetSize();
  if (!size.ok() || *size < kTail) return Fail(ErrorKind::kCorrupt, "read {}: it is no Parquet file", path);
  auto tail = input.ReadAt(*size - kTail, kTail);
  if (!tail.ok() || (*tail)->size() != kTail || !std::string_view(**tail).ends_with(kMagic))
    return Fail(ErrorKind::kCorrupt, "read {}: it does not end as a Parquet file", path);
  uint32_t length = 0;
  std::memcpy(&length, (*tail)->data(), sizeof length);
  if (length <= kLargestFooter && length <= *size - kTail) return {};
  return Fail(ErrorKind::kCorrupt,
              "read {}: its footer claims {} bytes; the file has {}, and {} is the most that is read", path, length,
              *size, kLargestFooter);
}

/// Where one output column comes from: a leaf of the file, or a constant.
struct Source {
  int leaf = -1;
  Literal constant;
};

/// `metadata`: the file's footer, where it is known.
Result<std::unique_ptr<parquet::arrow::FileReader>> OpenFile(const std::string& path,
                                                             const std::shared_ptr<arrow::io::RandomAccessFile>& input,
                                                             std::shared_ptr<parquet::FileMetaData> metadata) {
  auto corrupt = [&](std::string_view why) { return Fail(ErrorKind::kCorrupt, "read {}: {}", path, why); };
  try {
    parquet::arrow::FileReaderBuilder builder;
    parquet::ReaderProperties reading(Pool());
    if (!FileIo::IsRemote(path)) {
      reading.enable_buffered_stream();  // a part of a column at a time, not all of the row group
      reading.set_buffer_size(kBufferBytes);
    }
    if (auto status = builder.Open(input, reading, std::move(metadata)); !status.ok()) return corrupt(status.message());
    parquet::ArrowReaderProperties properties(/*use_threads=*/false);
    properties.set_pre_buffer(FileIo::IsRemote(path));  // a row group's wanted columns in few requests, at once
    builder.memory_pool(Pool());
    builder.properties(properties);
    auto made = builder.Build();
    if (!made.ok()) return corrupt(made.status().message());
    return std::move(*made);
  } catch (const std::exception& error) {
    return corrupt(error.what());
  }
}

/// What all readers of one file share.
struct Shared {
  std::string path;
  PartitionTuple partition;
  PartitionSpec spec;
  int64_t rows = 0;  ///< by its manifest
  std::shared_ptr<arrow::io::RandomAccessFile> input;
};

class Reader final : public ParquetReader {
 public:
  Reader(std::shared_ptr<const Shared> shared, std::unique_ptr<parquet::arrow::FileReader> reader,
         std::vector<Field> columns)
      : shared_(std::move(shared)), path_(shared_->path), reader_(std::move(reader)), columns_(std::move(columns)) {}

  Result<std::unique_ptr<ParquetReader>> Again(std::vector<Field> columns) const override {
    ASSIGN(auto file, OpenFile(path_, shared_->input, reader_->parquet_reader()->metadata()));
    auto reader = std::make_unique<Reader>(shared_, std::move(file), std::move(columns));
    TRY(reader->Bind());
    return reader;
  }

  int row_groups() const override { return reader_->num_row_groups(); }

  Result<> Bind() {
    ASSIGN(schema_, ToArrow(columns_));
    TRY(CheckRows());
    const auto* parquet_schema = reader_->parquet_reader()->metadata()->schema();
    bool any_id = parquet_schema->num_columns() == 0;
    for (int i = 0; i < parquet_schema->num_columns(); ++i) any_id |= parquet_schema->GetColumnRoot(i)->field_id() >= 0;
    if (!any_id)
      return Fail(ErrorKind::kUnsupported, "{}: the Parquet file has no field ids (name mapping is not supported)",
                  path_);
    for (const auto& column : columns_) {
      Source source;
      for (int i = 0; i < parquet_schema->num_columns(); ++i)
        if ((parquet_schema->GetColumnRoot(i)->is_primitive() || column.type.id == TypeId::kList) &&
            parquet_schema->GetColumnRoot(i)->field_id() == column.id)
          source.leaf = i;
      if (source.leaf < 0) {
        const auto& fields = shared_->spec.fields;
        for (size_t i = 0; i < fields.size(); ++i)
          if (fields[i].source_id == column.id && fields[i].transform.kind == TransformKind::kIdentity)
            source.constant = shared_->partition[i];
      } else {
        leaves_.push_back(source.leaf);
      }
      sources_.push_back(std::move(source));
    }
    return {};
  }

  Result<BatchSource> ReadRowGroup(int row_group, int64_t batch_rows) override {
    if (leaves_.empty()) return Constants(row_group, batch_rows);
    reader_->set_batch_size(batch_rows);
    ASSIGN(auto made, Wrap(FromArrow(reader_->GetRecordBatchReader({row_group}, leaves_)), path_));
    std::shared_ptr<arrow::RecordBatchReader> batches = std::move(made);
    return [this, batches]() -> Result<std::shared_ptr<arrow::RecordBatch>> {
      std::shared_ptr<arrow::RecordBatch> batch;
      if (auto status = batches->ReadNext(&batch); !status.ok()) {
        auto error = FromArrow(status);
        error.kind = ErrorKind::kCorrupt;
        return Failure(error.Wrap("read " + path_));
      }
      if (batch == nullptr) return batch;
      return Project(*batch);
    };
  }

 private:
  /// Rows cost next to nothing to claim: what is read must be what the manifest says, and in proportion to the bytes.
  Result<> CheckRows() const {
    const auto& metadata = *reader_->parquet_reader()->metadata();
    int64_t rows = 0;
    for (int i = 0; i < metadata.num_row_groups(); ++i) {
      auto of_group = metadata.RowGroup(i)->num_rows();
      if (of_group < 0 || of_group > shared_->rows - rows)
        return Fail(ErrorKind::kCorrupt, "read {}: it claims more than the {} rows that its manifest names", path_,
                    shared_->rows);
      rows += of_group;
    }
    auto size = shared_->input->GetSize();
    if (size.ok() && rows / kMostRowsPerByte <= *size) return {};
    return Fail(ErrorKind::kCorrupt, "read {}: it claims {} rows, which its size cannot hold", path_, rows);
  }

  /// A row group none of whose wanted columns is stored.
  Result<BatchSource> Constants(int row_group, int64_t batch_rows) {
    auto left = std::make_shared<int64_t>(reader_->parquet_reader()->metadata()->RowGroup(row_group)->num_rows());
    return [this, left, batch_rows]() -> Result<std::shared_ptr<arrow::RecordBatch>> {
      auto rows = std::min(*left, batch_rows);
      if (rows == 0) return std::shared_ptr<arrow::RecordBatch>();
      *left -= rows;
      return Project(*arrow::RecordBatch::Make(arrow::schema({}), rows, arrow::ArrayVector{}));
    };
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Project(const arrow::RecordBatch& batch) {
    arrow::ArrayVector arrays;
    int at = 0;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const auto& type = schema_->field(static_cast<int>(i))->type();
      if (sources_[i].leaf < 0) {
        ASSIGN(auto array, Repeat(sources_[i].constant, columns_[i].type, batch.num_rows()));
        arrays.push_back(std::move(array));
        continue;
      }
      auto array = batch.column(at++);
      if (!array->type()->Equals(type)) {
        auto cast = arrow::compute::Cast(*array, type);
        if (!cast.ok())
          return Fail(ErrorKind::kCorrupt, "read {}: column '{}' is {} in the file, but {} in the table", path_,
                      columns_[i].name, array->type()->ToString(), type->ToString());
        array = *cast;
      }
      arrays.push_back(std::move(array));
    }
    return arrow::RecordBatch::Make(schema_, batch.num_rows(), std::move(arrays));
  }

  std::shared_ptr<const Shared> shared_;
  const std::string& path_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::vector<Field> columns_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<Source> sources_;
  std::vector<int> leaves_;
};

}  // namespace

Result<std::unique_ptr<ParquetReader>> ParquetReader::Open(FileIo& io, const DataFile& file, const PartitionSpec& spec,
                                                           std::vector<Field> columns) {
  const auto& path = file.file_path;
  ASSIGN(auto input, io.OpenInput(path, file.file_size_in_bytes));
  if (!FileIo::IsRemote(path)) TRY(CheckFooter(path, *input));  // in S3 it would be one more request
  ASSIGN(auto made, OpenFile(path, input, nullptr));
  try {
    auto reader =
        std::make_unique<Reader>(std::make_shared<const Shared>(path, file.partition, spec, file.record_count, input),
                                 std::move(made), std::move(columns));
    TRY(reader->Bind());
    return reader;
  } catch (const std::exception& error) {
    return Fail(ErrorKind::kCorrupt, "read {}: {}", path, error.what());
  }
}

}  // namespace slipway::iceberg
