#include "iceberg/rewrite.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>

#include "base/arrow.h"
#include "base/file_io.h"
#include "iceberg/data_file_writer.h"
#include "iceberg/locations.h"
#include "iceberg/parquet_reader.h"

namespace slipway::iceberg {
namespace {

constexpr int64_t kBatchRows = 65536;

Result<std::shared_ptr<arrow::RecordBatch>> Keep(const arrow::RecordBatch& batch, const std::vector<Field>& fields,
                                                 const Predicate& removed) {
  arrow::BooleanBuilder keep;
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    auto value = [&](int field_id) -> Literal {
      for (size_t i = 0; i < fields.size(); ++i) {
        if (fields[i].id != field_id) continue;
        return LiteralAt(*batch.column(static_cast<int>(i)), row).value_or(Literal{});
      }
      return {};
    };
    ARROW_TRY(keep.Append(!Matches(removed, value)));
  }
  ARROW_ASSIGN(auto mask, keep.Finish());
  arrow::ArrayVector columns;
  for (const auto& column : batch.columns()) {
    ARROW_ASSIGN(auto kept, arrow::compute::Filter(arrow::Datum(column), arrow::Datum(mask)));
    columns.push_back(kept.make_array());
  }
  auto rows = columns.empty() ? 0 : columns.front()->length();
  return arrow::RecordBatch::Make(batch.schema(), rows, std::move(columns));
}

}  // namespace

Result<std::optional<DataFile>> RewriteWithout(const Table& table, const DataFile& file, const Predicate& removed,
                                               const std::string& run_id) {
  const auto& fields = table.metadata.schema.fields;
  const auto& spec = *table.metadata.FindSpec(file.spec_id);
  ASSIGN(auto reader, ParquetReader::Open(*table.io, file, spec, fields));
  auto path = PartitionPath(spec, table.metadata.schema, file.partition);
  ASSIGN(auto writer, DataFileWriter::Open(*table.io, NewDataFileLocation(table, path, run_id), fields));
  int64_t rows = 0;
  for (int group = 0; group < reader->row_groups(); ++group) {
    ASSIGN(auto next, reader->ReadRowGroup(group, kBatchRows));
    while (true) {
      ASSIGN(auto batch, next());
      if (batch == nullptr) break;
      ASSIGN(auto kept, Keep(*batch, fields, removed));
      rows += kept->num_rows();
      if (kept->num_rows() > 0) TRY(writer->Write(*kept));
    }
  }
  ASSIGN(auto written, writer->Finish());
  if (rows == 0) {
    TRY(table.io->Delete(written.file_path));
    return std::nullopt;
  }
  written.spec_id = file.spec_id;
  written.partition = file.partition;
  return written;
}

}  // namespace slipway::iceberg
