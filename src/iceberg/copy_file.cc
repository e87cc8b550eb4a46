#include "iceberg/copy_file.h"

#include <arrow/record_batch.h>

#include "base/file_io.h"
#include "iceberg/data_file_writer.h"
#include "iceberg/live_rows.h"
#include "iceberg/locations.h"
#include "iceberg/mask.h"
#include "iceberg/parquet_reader.h"

namespace slipway::iceberg {
namespace {

constexpr int64_t kBatchRows = 65536;

Result<DataFile> CopyTo(const std::string& location, const Table& table, const DataFile& file,
                        const PartitionSpec& spec, const RowFilter& keep) {
  const auto& fields = table.metadata.schema.fields;
  ASSIGN(auto live, LiveRows::Of(table, {file}, fields));
  TRY(live.Begin(file));
  ASSIGN(auto reader, ParquetReader::Open(*table.io, file, spec, live.columns()));
  ASSIGN(auto writer, DataFileWriter::Open(*table.io, location, fields));
  for (int group = 0; group < reader->row_groups(); ++group) {
    ASSIGN(auto next, reader->ReadRowGroup(group, kBatchRows));
    while (true) {
      ASSIGN(auto batch, next());
      if (batch == nullptr) break;
      ASSIGN(auto rows, live.Take(batch));
      ASSIGN(auto kept, keep(rows));
      if (kept->num_rows() > 0) TRY(writer->Write(*kept));
    }
  }
  return writer->Finish();
}

}  // namespace

Result<std::optional<DataFile>> CopyFile(const Table& table, const DataFile& file, const std::string& run_id,
                                         const RowFilter& keep) {
  const auto& spec = *table.metadata.FindSpec(file.spec_id);
  auto location = NewDataFileLocation(table, PartitionPath(spec, table.metadata.schema, file.partition), run_id);
  auto copied = CopyTo(location, table, file, spec, keep);
  if (!copied) {
    (void)table.io->Delete(location);
    return Failure(copied.error());
  }
  if (copied->record_count == 0) {
    TRY(table.io->Delete(location));
    return std::nullopt;
  }
  copied->spec_id = file.spec_id;
  copied->partition = file.partition;
  return std::optional(std::move(*copied));
}

Result<std::optional<DataFile>> CopyWithout(const Table& table, const DataFile& file, const Predicate& removed,
                                            const std::string& run_id) {
  return CopyFile(table, file, run_id, [&](const std::shared_ptr<arrow::RecordBatch>& batch) {
    return Take(Rows::kOthers, removed, batch, table.metadata.schema.fields);
  });
}

}  // namespace slipway::iceberg
