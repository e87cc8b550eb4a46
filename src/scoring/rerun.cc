#include "scoring/rerun.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <algorithm>

#include "base/file_io.h"
#include "base/format.h"
#include "iceberg/data_file_writer.h"
#include "iceberg/locations.h"
#include "iceberg/parquet_reader.h"
#include "iceberg/scan.h"
#include "iceberg/scan_reader.h"

namespace slipway::scoring {

using iceberg::IsNull;
using iceberg::Literal;
using iceberg::Predicate;

Predicate Rerun::Day() const {
  auto day = std::chrono::floor<std::chrono::days>(job_.logical_date);
  auto micros = [](Timestamp t) { return Literal(int64_t{t.time_since_epoch().count()}); };
  return Predicate::And(
      {Predicate::Compare(Predicate::Op::kGreaterEqual, plan_.partition_field_id, micros(day)),
       Predicate::Compare(Predicate::Op::kLess, plan_.partition_field_id, micros(day + std::chrono::days{1}))});
}

std::vector<std::string> Rerun::KeyColumns() const {
  auto columns = job_.work.entity_columns;
  if (!by_day() && std::ranges::find(columns, job_.work.partition_column) == columns.end())
    columns.push_back(job_.work.partition_column);
  return columns;
}

Result<> Rerun::ReadKeys(const iceberg::Table& table, EntityKeys& keys) const {
  auto partition = by_day() ? Day() : Predicate::Always();
  ASSIGN(auto scan, iceberg::PlanScan(table, std::nullopt, partition));
  std::vector<iceberg::Field> columns;
  for (const auto& name : KeyColumns()) columns.push_back(*table.metadata.schema.Find(name));
  auto day_column = columns.size();
  if (by_day()) columns.push_back(*table.metadata.schema.Find(plan_.partition_field_id));
  auto reader = iceberg::ScanReader::Start(table, scan, columns, {});
  while (true) {
    ASSIGN(auto batch, reader->Next());
    if (batch == nullptr) return {};
    if (!by_day()) {
      TRY(keys.Add(*batch));
      continue;
    }
    // A file may hold other days too: its partition spec may be older or coarser.
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      ASSIGN(auto scored_at, iceberg::LiteralAt(*batch->column(static_cast<int>(day_column)), row));
      if (Matches(partition, [&](int) { return scored_at; })) TRY(keys.Add(*batch->Slice(row, 1)));
    }
  }
}

Result<> Rerun::Start() {
  if (!appends()) return {};
  keys_.emplace(KeyColumns());
  return Wrap(ReadKeys(plan_.target, *keys_), "read the keys of " + ToString(plan_.target.id));
}

Result<std::shared_ptr<arrow::RecordBatch>> Rerun::Admit(const std::shared_ptr<arrow::RecordBatch>& batch) {
  if (appends()) return keys_->TakeNew(batch, true);
  if (by_day()) return batch;
  auto column = batch->GetColumnByName(job_.work.partition_column);
  const auto* field = plan_.target.metadata.schema.Find(plan_.partition_field_id);
  for (int64_t row = 0; row < column->length(); ++row) {
    ASSIGN(auto value, iceberg::LiteralAt(*column, row));
    if (IsNull(value))
      null_value_ = true;
    else
      values_.emplace(ToBytes(value, field->type), value);
  }
  return batch;
}

std::optional<Predicate> Rerun::ReplacedRows() const {
  if (appends()) return std::nullopt;
  if (by_day()) return Day();
  std::vector<Literal> values;
  for (const auto& [bytes, value] : values_) values.push_back(value);
  auto in = Predicate::In(plan_.partition_field_id, std::move(values));
  if (!null_value_) return in;
  return Predicate::Or({std::move(in), Predicate::Null(plan_.partition_field_id, true)});
}

Result<std::vector<iceberg::DataFile>> Rerun::FilesFor(const iceberg::Table& base,
                                                       const std::vector<iceberg::DataFile>& written,
                                                       std::vector<std::string>& made) const {
  if (!appends() || base.metadata.current_snapshot_id == plan_.target.metadata.current_snapshot_id) return written;
  EntityKeys theirs(KeyColumns());
  TRY(ReadKeys(base, theirs));
  std::vector<iceberg::DataFile> files;
  const auto& fields = base.metadata.schema.fields;
  for (const auto& file : written) {
    const auto& spec = *base.metadata.FindSpec(file.spec_id);
    ASSIGN(auto reader, iceberg::ParquetReader::Open(*base.io, file, spec, fields));
    made.push_back(NewDataFileLocation(base, PartitionPath(spec, base.metadata.schema, file.partition), job_.run_id));
    ASSIGN(auto writer, iceberg::DataFileWriter::Open(*base.io, made.back(), fields));
    for (int group = 0; group < reader->row_groups(); ++group) {
      ASSIGN(auto next, reader->ReadRowGroup(group, 65536));
      while (true) {
        ASSIGN(auto batch, next());
        if (batch == nullptr) break;
        ASSIGN(auto fresh, theirs.TakeNew(batch, false));
        if (fresh->num_rows() > 0) TRY(writer->Write(*fresh));
      }
    }
    ASSIGN(auto rewritten, writer->Finish());
    if (rewritten.record_count == 0) {
      TRY(base.io->Delete(rewritten.file_path));
      continue;
    }
    rewritten.spec_id = file.spec_id;
    rewritten.partition = file.partition;
    files.push_back(std::move(rewritten));
  }
  return files;
}

}  // namespace slipway::scoring
